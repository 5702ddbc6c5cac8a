"""The nearest good pixels of each bad one in its own row: what filling along the rows starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RowNeighbours:
    """K bad pixels, row by row, and the good columns beside each; at an end both are the same column."""

    row: np.ndarray  # (K,)
    column: np.ndarray  # (K,)
    left: np.ndarray  # (K,) nearest good column on the left; the pixel's own where it is hopeless
    right: np.ndarray  # (K,) and on the right
    weight: np.ndarray  # (K,) of the right one in a linear interpolation
    hopeless: np.ndarray  # (K,) bool: no good pixel in the row

    @classmethod
    def of(cls, bad: np.ndarray) -> RowNeighbours:
        """From a map of bad pixels (R, C)."""
        row, column = np.nonzero(bad)
        n = bad.shape[1]
        columns = np.arange(n)
        last = np.maximum.accumulate(np.where(bad, -1, columns), axis=1)
        following = np.minimum.accumulate(np.where(bad, n, columns)[:, ::-1], axis=1)[:, ::-1]
        left, right = last[row, column], following[row, column]
        hopeless = (left < 0) & (right >= n)
        left = np.where(hopeless, column, np.where(left < 0, right, left))
        right = np.where(right >= n, left, right)
        weight = np.where(right > left, (column - left) / np.maximum(right - left, 1), 0.0)
        return cls(row, column, left, right, weight, hopeless)
