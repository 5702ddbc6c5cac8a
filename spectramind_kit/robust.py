"""Medians that a few wild samples do not move: a scatter, a running course."""

from __future__ import annotations

import warnings

import numpy as np

MAD_TO_SIGMA = 1.4826  # σ over the median absolute deviation of Gaussian noise: 1 / Φ⁻¹(3/4)


def mad_sigma(
    values: np.ndarray, axis: int | None = None, *, centre: np.ndarray | float | None = None
) -> np.ndarray:
    """σ of Gaussian noise from the median absolute deviation about the median along ``axis`` (None: of all).

    ``centre`` is the middle where it is known: 0 for differences and residuals, or an array that broadcasts
    against ``values``. A NaN makes the result NaN.
    """
    if centre is None:
        centre = np.median(values, axis=axis, keepdims=axis is not None)
    return MAD_TO_SIGMA * np.median(np.abs(values - centre), axis=axis)


def median_of_known(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Median along ``axis`` of what is not NaN; NaN where nothing is, without a warning."""
    if np.isfinite(values).all():
        return np.median(values, axis=axis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(values, axis=axis)


def running_median(values: np.ndarray, width: int) -> np.ndarray:
    """Median of ``width`` (odd) neighbours of each sample of a series (N,), mirrored at its ends.

    A series shorter than ``width`` takes the widest window that it can fill.
    """
    half = min(width, len(values)) // 2
    if not half:
        return values
    padded = np.pad(values, half, mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=-1)
