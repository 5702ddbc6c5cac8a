from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.fit.starts import CatalogueOrbit, find_starts
from spectramind_kit.transit.likelihood.visit_data import into_bands, prepare_visit
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet, with_flux


@pytest.mark.parametrize(
    "gone", [slice(0, 19), slice(0, 37), slice(168, None), slice(30, 49), slice(80, 99)], ids=str
)
def test_missing_times_are_no_transit(gone: slice) -> None:
    """Guards against stand-ins for missing times that are taken for a dip of 100 %: the search went there,
    and the fit with it."""
    planet = make_planet(1)
    curve = make_light_curve(planet, seed=1)
    flux = curve.flux.copy()
    flux[gone] = np.nan
    data = prepare_visit(with_flux(curve, flux), settings=AnchorSettings())
    best = find_starts(
        [into_bands(data, WAVELENGTH, 6)[0]], CatalogueOrbit.from_star(planet.star), settings=AnchorSettings()
    )[0]
    assert best.mid_times[0] == pytest.approx(planet.mid_time, abs=0.3)
    assert best.depth == pytest.approx(planet.depth[1:].mean(), rel=0.25)


def test_times_without_weight_are_no_transit() -> None:
    """Guards against the same where a part is left out on purpose and its flux is still there."""
    planet = make_planet(1)
    data = prepare_visit(make_light_curve(planet, seed=1), settings=AnchorSettings())
    band = into_bands(data, WAVELENGTH, 6)[0]
    weight, flux = band.weight.clone(), band.flux.clone()
    weight[:19], flux[:19] = 0.0, 0.5 * flux[:19]
    band = dataclasses.replace(band, weight=weight, flux=flux)
    best = find_starts([band], CatalogueOrbit.from_star(planet.star), settings=AnchorSettings())[0]
    assert best.mid_times[0] == pytest.approx(planet.mid_time, abs=0.3)
