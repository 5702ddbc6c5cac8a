from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.visit import count_visits, draw_visits


@pytest.fixture(scope="module")
def planets():
    return [draw_planet(5, "train", k) for k in range(400)]


def test_planets_stay_inside_the_real_tables(planets):
    """Guards against planets that no real table holds: a network trained on them would learn the wrong
    ranges."""
    limits = {
        "mass": (0.049, 25.0),
        "period_d": (2.7, 7.7),
        "catalogue_semi_major_axis": (3.5, 24.0),
        "depth": (0.0037, 0.080),
        "catalogue_inclination_deg": (85.0, 90.0),
    }
    for name, (low, high) in limits.items():
        values = np.array([getattr(p, name) for p in planets])
        assert low <= values.min() and values.max() <= high, name
    stars = np.array([[p.star.radius, p.star.mass, p.star.temperature_k] for p in planets])
    assert (stars >= [0.65, 0.599, 4236]).all() and (stars <= [2.9, 1.82, 6979]).all()
    assert np.median(stars[:, 0]) == pytest.approx(1.23, rel=0.1) and np.mean(
        [p.depth for p in planets]
    ) == pytest.approx(0.0146, rel=0.2)


def test_every_planet_transits_and_some_graze(planets):
    """Guards against visits without a transit, whose label would be unreachable, and against a sample of easy
    ones only."""
    b = np.array([p.impact_parameter for p in planets])
    r = np.sqrt([p.depth for p in planets])
    assert (b < 1.0 + r).all() and (b > 1.0 - r).any()


def test_catalogue_orbits_are_off_by_five_per_cent_and_a_few_by_far_more(planets):
    """Guards against a catalogue that gives the answer away."""
    error = np.log([p.catalogue_semi_major_axis / p.semi_major_axis for p in planets])
    assert np.percentile(np.abs(error), 68) == pytest.approx(0.05, rel=0.2) and np.abs(error).max() > 0.2


def test_a_planet_depends_only_on_seed_split_and_index():
    """Guards against draws that change when more planets are asked for."""
    assert draw_planet(5, "train", 3) == draw_planet(5, "train", 3)
    ids = {
        draw_planet(seed, split, k).planet_id
        for seed in (1, 2)
        for split in ("train", "test")
        for k in range(20)
    }
    assert len(ids) == 80


def test_two_visits_share_planet_and_label_but_not_drift():
    """Guards against second visits that are copies of the first, and against visits of different planets."""
    settings = Settings(two_visit_fraction=1.0)
    first, second = draw_visits(5, "train", 0, settings=settings)
    assert first.planet == second.planet and np.array_equal(first.label, second.label)
    assert first.mid_transit_time != second.mid_transit_time
    assert not np.allclose(first.drift.wavelength_response, second.drift.wavelength_response)


def test_share_of_two_visit_planets():
    """Guards against a fraction that is ignored."""
    counts = [count_visits(5, "train", k, settings=Settings(two_visit_fraction=0.3)) for k in range(400)]
    assert np.mean(np.array(counts) == 2) == pytest.approx(0.3, abs=0.07)
