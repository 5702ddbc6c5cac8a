"""The wavelength axis: AIRS-CH0's dispersion, its cut, and the 283 bins of a spectrum."""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1_WAVELENGTH_UM

# A prism: wavelength falls with the column as a parabola (axis_info's axis2 follows it to rounding error).
_DISPERSION_UM = (4.078463140898874, -1.5739400934050318, -0.8712703270486373)


def airs_column_wavelengths() -> np.ndarray:
    """(356,) µm, descending with the column."""
    x = np.arange(AIRS.columns) / (AIRS.columns - 1)
    return np.polynomial.polynomial.polyval(x, _DISPERSION_UM)


def bin_wavelengths() -> np.ndarray:
    """(283,) µm: FGS1, then the cut AIRS columns in ascending wavelength."""
    return np.concatenate([[FGS1_WAVELENGTH_UM], airs_column_wavelengths()[AIRS.column_cut][::-1]])


def grid_wavelengths() -> np.ndarray:
    """(357,) µm: FGS1, then all AIRS columns in detector order. What the simulator computes on."""
    return np.concatenate([[FGS1_WAVELENGTH_UM], airs_column_wavelengths()])


def grid_to_bins(values: np.ndarray) -> np.ndarray:
    """(…, 357) on the simulator's grid → (…, 283) bins of a spectrum."""
    airs = values[..., 1:][..., AIRS.column_cut]
    return np.concatenate([values[..., :1], airs[..., ::-1]], axis=-1)
