from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.stars_planets import draw_planet


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
