from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.likelihood.visit_data import into_bands, prepare_visit
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet


def test_bands_with_missing_times_keep_their_noise() -> None:
    """Guards against missing points that count as differences of zero."""
    curve = make_light_curve(make_planet(1), seed=1)
    flux = curve.flux.copy()
    flux[40:70] = np.nan
    data = prepare_visit(dataclasses.replace(curve, flux=flux), settings=AnchorSettings())
    bands, _ = into_bands(data, WAVELENGTH, 6)
    assert bands.noise_scale[1:] == pytest.approx(1.0, abs=0.25)
    assert not bool((bands.weight[40:70] > 0).any()) and bool((bands.weight[70:] > 0).all())
