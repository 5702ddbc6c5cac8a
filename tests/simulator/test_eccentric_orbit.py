"""Eccentric orbits against circular ones and against the speed at transit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator.eccentric_orbit import eccentric_separation
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.worlds import world
from spectramind_kit.transit import projected_separation

TIME = np.linspace(0.0, 7.5, 200)


def test_without_eccentricity_it_is_the_circle():
    """Guards the orbit's orientation and clock against the transit model's."""
    planet = draw_planet(1, "train", 0, settings=world("easy"))
    circle = projected_separation(
        TIME,
        mid_transit_time=3.7,
        period_d=planet.period_d,
        semi_major_axis=planet.semi_major_axis,
        inclination_deg=planet.inclination_deg,
    )
    np.testing.assert_allclose(eccentric_separation(TIME, planet, 3.7), np.asarray(circle), atol=1e-9)


@pytest.mark.parametrize("periastron_deg", [0.0, 90.0, 200.0, 270.0])
def test_impact_and_speed_at_transit(periastron_deg):
    """Guards against an orbit whose transit is not where and as fast as Winn (2010, eq. 7, 16) says."""
    planet = draw_planet(1, "train", 0, settings=world("easy"))
    planet = replace(planet, eccentricity=0.3, periastron_deg=periastron_deg, inclination_deg=89.0)
    separation = eccentric_separation(TIME, planet, 3.7)
    assert separation.min() == pytest.approx(planet.impact_parameter, abs=5e-3)
    assert TIME[separation.argmin()] == pytest.approx(3.7, abs=0.06)
    flight = np.abs(np.gradient(separation, TIME))[np.abs(TIME - 3.7) > 1.0].max()
    circle = 2 * np.pi * planet.semi_major_axis / (24 * planet.period_d)
    faster = (1 + 0.3 * np.sin(np.radians(periastron_deg))) / np.sqrt(1 - 0.3**2)
    assert flight == pytest.approx(circle * faster, rel=0.1)
