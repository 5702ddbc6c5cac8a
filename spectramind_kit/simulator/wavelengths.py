"""The wavelength axis: AIRS-CH0's dispersion, its cut, and the 283 bins of a spectrum."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.instrument import FGS1_WAVELENGTH_UM, N_AIRS_BINS
from spectramind_kit.simulator.constants import AIRS

# A prism: wavelength falls with the column as a parabola (axis_info's axis2 follows it to rounding error).
_DISPERSION_UM = (4.078463140898874, -1.5739400934050318, -0.8712703270486373)
BIN_INDEX = np.r_[0, np.arange(1, AIRS.columns + 1)[AIRS.cut][::-1]]  # (283,) entries of the grid


def airs_column_wavelengths() -> np.ndarray:
    """(356,) µm, descending with the column."""
    x = np.arange(AIRS.columns) / (AIRS.columns - 1)
    return np.polynomial.polynomial.polyval(x, _DISPERSION_UM)


def grid_wavelengths() -> np.ndarray:
    """(357,) µm: FGS1, then all AIRS columns in detector order. What the simulator computes on."""
    return np.concatenate([[FGS1_WAVELENGTH_UM], airs_column_wavelengths()])


def bin_wavelengths() -> np.ndarray:
    """(283,) µm: FGS1, then the cut AIRS columns in ascending wavelength."""
    return grid_to_bins(grid_wavelengths())


def grid_to_bins(values: np.ndarray) -> np.ndarray:
    """(…, 357) on the simulator's grid → (…, 283) bins of a spectrum."""
    return np.take(values, BIN_INDEX, axis=-1)


def by_sensor(fgs1: float, airs: float) -> np.ndarray:
    """(283,) one number per bin of FGS1 and of AIRS-CH0."""
    return np.concatenate([[fgs1], np.full(N_AIRS_BINS, airs)])
