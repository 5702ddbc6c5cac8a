"""Foreground that changes is seen beside the star, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.changing_foreground import (
    AIRS_TOLERANCE,
    FGS1_TOLERANCE,
    find_variation,
    trace_variation,
)

T = 187
X = np.linspace(-1, 1, T)
STAR = 1 - 0.015 * np.clip((0.5 - np.abs(X)) / 0.08 + 0.5, 0, 1)
BUMP = 10.0 / (1 + np.exp((np.abs(X) - 0.4) / 0.02))
KINDS = [(AIRS_TOLERANCE, 40.0, 0.09), (FGS1_TOLERANCE, 1.0, 0.13)]


@pytest.mark.parametrize("tolerance,wing,sigma", KINDS)
def test_a_star_and_its_wing_are_no_change(tolerance, wing, sigma):
    """Guards against a transit in the star's wing, or noise, that is subtracted as foreground: 400 visits,
    wing wrong by 15 %."""
    rng = np.random.default_rng(0)
    star = STAR / STAR.mean()
    for _ in range(200):
        level = 6.0 + wing * rng.uniform(0.85, 1.15) * star + sigma * rng.standard_normal(T)
        assert find_variation(level, star, star_light=wing, tolerance=tolerance) is None


@pytest.mark.parametrize("tolerance,wing,sigma", KINDS)
@pytest.mark.parametrize("size", (0.1, 1.0))
def test_a_bump_in_transit_is_found(tolerance, wing, sigma, size):
    """Guards the kind of fault that was 9 σ: what is found is the bump, to a tenth of an electron."""
    rng = np.random.default_rng(0)
    star = STAR / STAR.mean()
    level = 6.0 + wing * star + size * BUMP + sigma * rng.standard_normal(T)
    found = find_variation(level, star, star_light=wing, tolerance=tolerance)
    inside, outside = np.abs(X) < 0.3, np.abs(X) > 0.6
    assert found[inside].mean() - found[outside].mean() == pytest.approx(10 * size, abs=0.1)
    assert abs(found.mean()) < 1e-9


def test_a_single_bin_is_a_particle():
    """Guards against a cosmic ray beside the star that is subtracted from it."""
    level = 6.0 + 0.1 * np.random.default_rng(0).standard_normal(T)
    level[60] += 5.0
    assert find_variation(level, np.ones(T), star_light=40.0, tolerance=AIRS_TOLERANCE) is None


@pytest.mark.parametrize("size", (0.0, 10.0))
def test_a_change_of_the_columns_is_found_where_it_is(size):
    """Guards a column's own strength, and a star's wing that passes for a change of some columns."""
    rng = np.random.default_rng(1)
    star, wing, strength = STAR / STAR.mean(), np.linspace(10.0, 60.0, 282), np.linspace(0.5, 1.5, 282)
    beside = 6.0 + wing * star[:, None] + size / 10.0 * BUMP[:, None] * strength
    found = trace_variation(beside + rng.standard_normal((T, 282)), star, star_light=wing)
    if not size:
        assert found is None
    else:
        change = (BUMP - BUMP.mean())[:, None] * strength
        assert np.abs(found - change)[:, 20:-20].max() < 0.6
