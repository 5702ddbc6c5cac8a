"""Fill bad pixels of a dispersed trace from the same row at the nearest good columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A column must hold this many times the missing pixel's light for its share to be read off; else plain
# interpolation.
_LEAST_LIGHT = 0.5
_WIDEST_FILL = 4  # columns


@dataclass(frozen=True)
class DispersionFill:
    """What replaces each of K bad pixels. What is interpolated is the row's share of its column, times the
    light of the bad pixel's own column in the rows that are good in all three columns: the spectrum may have
    any slope and the star any level, only the profile must change slowly along the dispersion. Dropping the
    pixels instead would let pointing jitter move light in and out of the sum.
    """

    row: np.ndarray
    column: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    """(K,) of the right neighbour."""
    common: np.ndarray
    """(R, K) rows good in all three columns."""
    by_share: np.ndarray
    """(K,) bool; False: plain interpolation, where a column holds next to no light."""
    hopeless: np.ndarray
    """(K,) bool: no good pixel in the row; set to zero."""

    @classmethod
    def plan(cls, mean: np.ndarray, bad: np.ndarray) -> DispersionFill:
        """From the mean image (R, C) and the bad pixels (R, C)."""
        row, column = np.nonzero(bad)
        good = ~bad
        n = bad.shape[1]
        columns = np.arange(n)
        last = np.maximum.accumulate(np.where(good, columns, -1), axis=1)
        following = np.minimum.accumulate(np.where(good, columns, n)[:, ::-1], axis=1)[:, ::-1]
        left, right = last[row, column], following[row, column]
        hopeless = (left < 0) & (right >= n)
        left = np.where(hopeless, column, np.where(left < 0, right, left))
        right = np.where(right >= n, left, right)
        weight = np.where(right > left, (column - left) / np.maximum(right - left, 1), 0.0).astype(np.float32)
        common = (good[:, left] & good[:, right] & good[:, column]).astype(np.float32)
        light = np.minimum.reduce([(mean[:, k] * common).sum(axis=0) for k in (left, right, column)])
        level = np.maximum(np.abs(mean[row, left]), np.abs(mean[row, right]))
        return cls(
            row=row,
            column=column,
            left=left,
            right=right,
            weight=weight,
            common=common,
            hopeless=hopeless,
            by_share=(light > _LEAST_LIGHT * level) & (light > 0),
        )

    def values(self, images: np.ndarray) -> np.ndarray:
        """(T, K) replacements for images (T, R, C)."""
        at_left, at_right = images[:, self.row, self.left], images[:, self.row, self.right]
        plain = (1 - self.weight) * at_left + self.weight * at_right
        sums = [
            np.einsum("trk,rk->tk", images[:, :, k], self.common)
            for k in (self.left, self.right, self.column)
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (1 - self.weight) * at_left / sums[0] + self.weight * at_right / sums[1]
            value = np.where(self.by_share & np.isfinite(share), sums[2] * share, plain)
        return np.where(self.hopeless, np.float32(0.0), value)

    def apply(self, images: np.ndarray) -> None:
        """Fill images (T, R, C) in place."""
        images[:, self.row, self.column] = self.values(images)


def too_wide_to_fill(saturated: np.ndarray) -> np.ndarray:
    """Saturated pixels (R, C) in stretches of more than four columns of a row: these are left out of the sum
    instead of filled.

    All of a long stretch would take its share from the same two good pixels at its ends, whose photon noise
    would then be in every wavelength at once; and these ends are far away in wavelength. What pointing does
    to the rest, the jitter model sees.
    """
    wide = np.zeros_like(saturated)
    for row in np.flatnonzero(saturated.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], saturated[row].astype(np.int8), [0]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            wide[row, start:stop] = stop - start > _WIDEST_FILL
    return wide
