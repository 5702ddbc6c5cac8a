from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.wavelengths import (
    airs_column_wavelengths,
    bin_wavelengths,
    by_sensor,
    grid_to_bins,
    grid_wavelengths,
)


def test_bins_ascend_after_fgs1():
    """Guards against a flipped axis."""
    bins = bin_wavelengths()
    assert bins.shape == (283,) and bins[0] == 0.7 and (np.diff(bins[1:]) > 0).all()
    assert bins[1] == pytest.approx(1.95176074, abs=1e-7) and bins[-1] == pytest.approx(3.89503602, abs=1e-7)


def test_grid_and_bins_are_the_same_light():
    """Guards against a bin that holds another column's light."""
    grid = grid_wavelengths()
    assert grid.shape == (357,) and np.array_equal(grid[1:], airs_column_wavelengths())
    assert np.array_equal(grid_to_bins(grid), bin_wavelengths())
    assert np.array_equal(grid_to_bins(np.stack([grid, 2 * grid]))[1], 2 * bin_wavelengths())
    assert np.array_equal(bin_wavelengths()[1:][::-1], airs_column_wavelengths()[39:321])


def test_one_number_per_sensor():
    """Guards against FGS1's number among those of AIRS."""
    values = by_sensor(0.1, 4.5)
    assert values.shape == (283,) and values[0] == 0.1 and (values[1:] == 4.5).all()
