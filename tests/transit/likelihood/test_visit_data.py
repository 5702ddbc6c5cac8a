from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.likelihood.visit_data import into_bands, prepare_visit
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet, with_flux


def test_bands_with_missing_times_keep_their_noise() -> None:
    """Guards against missing points that count as differences of zero."""
    curve = make_light_curve(make_planet(1), seed=1)
    flux = curve.flux.copy()
    flux[40:70] = np.nan
    data = prepare_visit(with_flux(curve, flux), settings=AnchorSettings())
    bands, _ = into_bands(data, WAVELENGTH, 6)
    assert bands.noise_scale[1:] == pytest.approx(1.0, abs=0.25)
    assert not bool((bands.weight[40:70] > 0).any()) and bool((bands.weight[70:] > 0).all())


def test_averages_of_a_finer_light_curve_keep_flux_and_noise() -> None:
    """Guards against means over points that are missing, and errors of sums taken for those of means."""
    curve = make_light_curve(make_planet(1), seed=1, n_times=561)
    flux = curve.flux.copy()
    flux[30, 5], flux[60:62, 5] = np.nan, np.nan
    data = prepare_visit(with_flux(curve, flux), settings=AnchorSettings())
    assert data.flux.shape == (187, 283) and data.exposure_h == pytest.approx(3 * curve.exposure_h)
    assert data.span == (curve.time[0], curve.time[-1])
    assert float(data.flux[10, 5]) == pytest.approx(np.nanmean(flux[30:33, 5]), rel=1e-6)
    assert float(data.weight[20, 5]) == 0.0 < float(data.weight[10, 5]) < float(data.weight[11, 5])
    assert np.median(data.noise_scale) == pytest.approx(1.0, abs=0.05)


def _every(curve, step: int, stop: int | None = None) -> dict[str, np.ndarray]:
    return {name: getattr(curve, name)[:stop:step] for name in ("time", "flux", "flux_err")}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: _every(c, 20), "too short"),
        (lambda c: {**_every(c, 1, 15), "time": c.time[:15] / 40, "exposure_h": 1e-3}, "too short"),
        (lambda c: dict(flux=-c.flux), "no usable flux"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, what: str) -> None:
    """Guards against a fit of nothing, or of a minute of a visit."""
    curve = make_light_curve(make_planet(1), seed=1)
    with pytest.raises(DataError, match=what) as caught:
        prepare_visit(dataclasses.replace(curve, **change(curve)), settings=AnchorSettings())
    assert "planet 1, visit 0" in str(caught.value)
