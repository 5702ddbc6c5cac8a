from __future__ import annotations

import dataclasses
import math

import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import AnchorSettings, flags, measure_depths
from spectramind_kit.transit.fit.planet_case import CatalogueOrbit, PlanetCase
from tests.transit.synthetic import Planet, make_light_curve

STAR = {"P": 4.2, "sma": 10.5, "i": 88.0, "Ms": 1.0, "Rs": 1.0}


def test_mistakes_of_the_caller_are_errors(planet: Planet) -> None:
    """Guards against a silent mixture of planets."""
    curve = make_light_curve(planet, seed=1)
    with pytest.raises(DataError, match="no light curve"):
        measure_depths([], planet.star)
    with pytest.raises(DataError, match="not of one planet"):
        measure_depths([curve, dataclasses.replace(curve, planet_id=2)], planet.star)


def test_wavelengths_that_do_not_fit_are_an_error(planet: Planet) -> None:
    """Guards against a spectrum in the wrong order, or drift terms over nanometres."""
    curve = make_light_curve(planet, seed=1)
    for wrong in (curve.wavelength_um * 1e3, curve.wavelength_um[::-1]):
        with pytest.raises(DataError, match="wavelengths do not fit"):
            measure_depths([dataclasses.replace(curve, wavelength_um=wrong)], planet.star)


def test_of_equal_shape_are_planets_that_can_be_stacked(planet: Planet) -> None:
    """Guards against a batch of light curves of other lengths or wavelengths."""

    def shape(**how) -> tuple:
        return PlanetCase.of([make_light_curve(planet, seed=1, **how)], {}, settings=AnchorSettings()).shape

    assert shape() == shape(noise=2.0) != shape(n_times=150)


def test_the_orbit_of_the_table() -> None:
    """Guards against an inclination read in radians, and an impact parameter that misses the star."""
    orbit = CatalogueOrbit.from_star(STAR)
    assert orbit.complete and orbit.impact_parameter == pytest.approx(10.5 * math.cos(math.radians(88.0)))
    assert CatalogueOrbit.from_star({**STAR, "i": 92.0}).impact_parameter == pytest.approx(
        orbit.impact_parameter
    )
    assert CatalogueOrbit.from_star({**STAR, "i": 60.0}).impact_parameter < 1.0
    assert orbit.kepler_axis == pytest.approx(4.2083 * 4.2 ** (2 / 3))
    point = orbit.point
    assert point["catalogue_axis"] == 10.5 and point["impact2"] == orbit.impact_parameter**2
    assert 2.0 * math.exp(point["log_duration"]) == pytest.approx(4.2 * 24 / math.pi * 1.05 / 10.5, rel=0.05)


@pytest.mark.parametrize("gone", ["P", "sma", "i"])
@pytest.mark.parametrize("value", [None, -1.0, 1e6])
def test_what_the_table_lacks_is_typical(gone: str, value: float | None, planet: Planet) -> None:
    """Guards against a period of -1 d that stops the fit, and a stand-in that nobody is told of."""
    star = {**STAR, gone: value} if value is not None else {k: v for k, v in STAR.items() if k != gone}
    orbit = CatalogueOrbit.from_star(star)
    assert not orbit.complete and 0.0 < orbit.impact_parameter < 1.0 < orbit.semi_major_axis < 20.0
    case = PlanetCase.of([make_light_curve(planet, seed=1)], {**star, "name": "x"}, settings=AnchorSettings())
    assert case.flags == (flags.TABLE_INCOMPLETE,) and "name" not in case.star
