"""Fill bad pixels of a dispersed trace from the same row at the nearest good columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.row_neighbours import RowNeighbours

# A column must hold this many times the missing pixel's light for its share to be read off.
_LEAST_LIGHT = 0.5
_WIDEST_FILL = 4  # columns


@dataclass(frozen=True)
class DispersionFill:
    """What replaces each of K bad pixels. What is interpolated is the row's share of its column, times the
    light of the bad pixel's own column in the rows that are good in all three columns: the spectrum may have
    any slope and the star any level, only the profile must change slowly along the dispersion. Dropping the
    pixels instead would let pointing jitter move light in and out of the sum.
    """

    at: RowNeighbours
    weight: np.ndarray  # (K,) float32, of the right neighbour
    common: np.ndarray  # (R, K) rows good in all three columns
    by_share: np.ndarray  # (K,) bool; False: plain interpolation, where a column holds next to no light

    @classmethod
    def plan(cls, mean: np.ndarray, bad: np.ndarray) -> DispersionFill:
        """From the mean image (R, C) and the bad pixels (R, C)."""
        at, good = RowNeighbours.of(bad), ~bad
        common = (good[:, at.left] & good[:, at.right] & good[:, at.column]).astype(np.float32)
        light = np.minimum.reduce([(mean[:, k] * common).sum(axis=0) for k in (at.left, at.right, at.column)])
        level = np.maximum(np.abs(mean[at.row, at.left]), np.abs(mean[at.row, at.right]))
        by_share = (light > _LEAST_LIGHT * level) & (light > 0)
        return cls(at, at.weight.astype(np.float32), common, by_share)

    def values(self, images: np.ndarray) -> np.ndarray:
        """(T, K) replacements for images (T, R, C); zero where the row has no good pixel."""
        at = self.at
        at_left, at_right = images[:, at.row, at.left], images[:, at.row, at.right]
        plain = (1 - self.weight) * at_left + self.weight * at_right
        columns = (at.left, at.right, at.column)
        sums = [np.einsum("trk,rk->tk", images[:, :, k], self.common) for k in columns]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (1 - self.weight) * at_left / sums[0] + self.weight * at_right / sums[1]
            value = np.where(self.by_share & np.isfinite(share), sums[2] * share, plain)
        return np.where(at.hopeless, np.float32(0.0), value)

    def apply(self, images: np.ndarray) -> None:
        """Fill images (T, R, C) in place."""
        images[:, self.at.row, self.at.column] = self.values(images)


def too_wide_to_fill(saturated: np.ndarray) -> np.ndarray:
    """Saturated pixels (R, C) in stretches of more than four columns: left out of the sum, not filled.

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
