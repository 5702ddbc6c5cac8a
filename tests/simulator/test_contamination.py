from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.contamination import dilution_factor, draw_contamination, spot_factor
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.wavelengths import grid_wavelengths

GRID = grid_wavelengths()


def test_dark_spots_deepen_a_transit_most_in_the_visible():
    """Guards against a factor upside down. Black spots of covering f: depth / (1 − f) exactly."""
    assert spot_factor(GRID, 5800.0, 1.0e2, 0.1) == pytest.approx(np.full_like(GRID, 1 / 0.9), rel=1e-6)
    cool = spot_factor(GRID, 5800.0, 4600.0, 0.05)
    assert (cool > 1.0).all() and cool[0] == cool.max()
    assert spot_factor(GRID, 5800.0, 5800.0, 0.3) == pytest.approx(np.ones_like(GRID))


def test_a_neighbour_makes_a_transit_shallower():
    """Guards against a sign error: a neighbour with 1 % of the light takes 1 % of the depth, more in the red
    if it is cool."""
    factor = dilution_factor(GRID, 5800.0, 3400.0, 0.01)
    assert (factor < 1.0).all() and factor[0] > factor[1]
    assert np.interp(2.9, GRID[:0:-1], factor[:0:-1]) == pytest.approx(1 / 1.01, rel=1e-4)


def test_shares():
    """Guards against mismatch in all visits, or in none."""
    rng = np.random.default_rng(0)
    kinds = [draw_contamination(rng, GRID, 5800.0, settings=Settings()).kind for _ in range(2000)]
    assert kinds.count("spots") / 2000 == pytest.approx(0.2, abs=0.03) and kinds.count(
        "dilution"
    ) / 2000 == pytest.approx(0.1, abs=0.025)
