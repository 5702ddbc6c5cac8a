"""The light beside the star as it runs through a visit: edge rows of AIRS-CH0, corners of FGS1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.expansion import calibrate_block
from spectramind_kit.detector.raw_counts import sum_of_pixels
from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.robust import mad_sigma, running_median

if TYPE_CHECKING:
    from spectramind_kit.detector.raw_visit import RawVisit

_LIFTED, _NEAREST = 8.0, 5  # σ of an exposure that a particle lifts; samples whose median stands for it
_BLOCK = 64  # exposures


def levels_beside(
    adu: np.ndarray, beside: slice, *, bad: np.ndarray, electrons_per_count: float
) -> np.ndarray:
    """(N,) e⁻ per good pixel beside the star in every exposure of frames (2N, P).

    The difference of the summed counts: linearity and flat hardly matter for so little light, and a bad pixel
    does not change. An exposure that a cosmic ray lifts is drawn to the median.
    """
    first, last = (sum_of_pixels(adu[read::2], beside) for read in (0, 1))
    level = (last - first) * (electrons_per_count / max(1, int((~bad[beside]).sum())))
    centre = np.median(level)
    sigma = mad_sigma(level, centre=centre)
    if not sigma > 0:
        return level
    lifted = np.abs(level - centre) > max(_LIFTED * sigma, 1e-9)
    return np.where(lifted, running_median(level, _NEAREST), level)


def columns_beside(raw: RawVisit, edges: np.ndarray) -> np.ndarray | None:
    """(T, C) e⁻ per pixel: mean over each bin of a column's good pixels beside AIRS-CH0's trace.

    edges (T + 1,) exposures at which the bins begin. A column without a good pixel is interpolated; None
    where there is no pixel at all.
    """
    n_columns, expansion = raw.selection.grid[1], raw.expansion.part(raw.beside)
    good = (~raw.pixels.bad[raw.beside]).reshape(-1, n_columns)
    count = good.sum(axis=0)
    known = np.flatnonzero(count)
    if not len(known):
        return None
    weight, exposures = (good / np.maximum(count, 1)).astype(np.float32), []
    for start in range(0, int(edges[-1]), _BLOCK):
        stop = min(start + _BLOCK, int(edges[-1]))
        block = calibrate_block(raw.adu[2 * start : 2 * stop, raw.beside], expansion)
        exposures.append(np.einsum("trc,rc->tc", block.reshape(stop - start, -1, n_columns), weight))
    mean = bin_mean(np.concatenate(exposures), edges).astype(np.float64)
    if len(known) < n_columns:
        every = np.arange(n_columns)
        mean = np.stack([np.interp(every, known, row[known]) for row in mean])
    return mean
