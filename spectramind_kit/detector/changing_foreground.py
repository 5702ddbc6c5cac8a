"""Foreground that changes during a visit, seen beside the star, in time bins.

The star's wing reaches the pixels beside it, so a transit shows there too: what the star's flux explains is
taken out first, and a change counts only where it is larger than the wing could be wrong by
(docs/decisions.md D42).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.expansion import calibrate_block
from spectramind_kit.detector.raw_counts import sum_of_pixels
from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.robust import mad_sigma, running_median

if TYPE_CHECKING:
    from spectramind_kit.detector.raw_visit import RawVisit

_SIGNIFICANT = 5.0  # σ; this and the wing's error: docs/decisions.md D42
_STEADY = 5  # bins averaged: a change of the sky takes longer
_CLEAR = 25.0  # σ of a bin: such a change is subtracted as it is, without averaging its edges away
_LIFTED, _NEAREST = 8.0, 5  # σ of an exposure that a particle lifts; samples whose median stands for it
_WING_ERROR = 0.3  # relative error of the star light beside the star
_LEAST_DIP = 1e-3  # of the star: less has no shape to look for
_SMOOTH_COLUMNS = 25
_BLOCK = 64  # exposures
_ENOUGH_EXPOSURES = 1500  # of AIRS-CH0, to see a change; what is subtracted is measured on all


@dataclass(frozen=True)
class Tolerance:
    """What a level may do without being a change."""

    level: float  # e⁻ per pixel and exposure
    wing: float  # what the wing may be wrong by, in the same unit


AIRS_TOLERANCE = Tolerance(level=0.3, wing=3.0)
FGS1_TOLERANCE = Tolerance(level=0.05, wing=0.5)


def levels_beside(
    adu: np.ndarray, beside: slice, *, bad: np.ndarray, electrons_per_count: float, step: int = 1
) -> np.ndarray:
    """(ceil(N / step),) e⁻ per good pixel beside the star in every ``step``-th exposure of frames (2N, P).

    The difference of the summed counts: linearity and flat hardly matter for so little light, and a bad pixel
    does not change. An exposure that a cosmic ray lifts is drawn to the median.
    """
    first, last = (sum_of_pixels(adu[read :: 2 * step], beside) for read in (0, 1))
    level = (last - first) * (electrons_per_count / max(1, int((~bad[beside]).sum())))
    centre = np.median(level)
    sigma = mad_sigma(level, centre=centre)
    if not sigma > 0:
        return level
    lifted = np.abs(level - centre) > max(_LIFTED * sigma, 1e-9)
    return np.where(lifted, running_median(level, _NEAREST), level)


def find_variation(
    level: np.ndarray, star: np.ndarray, *, star_light: float, tolerance: Tolerance
) -> np.ndarray | None:
    """What the foreground does about its mean, (T,) e⁻ per pixel, or None where that is not significant.

    level (T,) beside the star in each bin · star (T,) its relative flux, mean 1 · star_light: of it beside
    the star, e⁻ per pixel.
    """
    n = len(level)
    if n < 2 * _STEADY or not (np.isfinite(level).all() and np.isfinite(star).all()):
        return None
    dip = star - np.median(star)
    rest = level - star_light * dip
    rest = rest - np.median(rest)
    sigma = mad_sigma(np.diff(rest), centre=0.0) / np.sqrt(2.0)
    # a particle beside the star: one bin above or below both its neighbours
    ahead, behind = np.diff(rest, prepend=rest[1]), -np.diff(rest, append=rest[-2])
    lone = (ahead * behind > 0) & (np.minimum(np.abs(ahead), np.abs(behind)) > _SIGNIFICANT * sigma)
    rest = np.where(lone, running_median(rest, _NEAREST), rest)
    wing_error = _WING_ERROR * abs(star_light) + tolerance.wing
    steady = _running_mean(rest, _STEADY)
    noise = sigma / np.sqrt(_neighbours(n, _STEADY))
    allowed = np.maximum(_SIGNIFICANT * noise, tolerance.level) + wing_error * np.abs(dip)
    changes = (np.abs(steady) > allowed).any()
    if not changes and np.ptp(star) > _LEAST_DIP:
        amplitude, error = _like_the_transit(rest, dip - dip.mean(), sigma)
        changes = abs(amplitude) > _SIGNIFICANT * error + wing_error
    if not changes:
        return None
    out = rest if np.abs(steady).max() > _CLEAR * sigma else steady
    return out - out.mean()


def _like_the_transit(rest: np.ndarray, shape: np.ndarray, sigma: float) -> tuple[float, float]:
    """How much of the star's ``shape`` (T,) is in ``rest`` (T,), beside a parabola, and its error.

    A change as long as the transit is what hurts most, and a fit of the transit's shape sees it best.
    """
    x = np.linspace(-1.0, 1.0, len(rest))
    design = np.stack([np.ones_like(x), x, x * x, shape], axis=1)
    inverse = np.linalg.pinv(design.T @ design)
    amplitude = float((inverse @ (design.T @ rest))[3])
    return amplitude, float(np.sqrt(max(inverse[3, 3], 0.0)) * sigma)


def trace_variation(
    raw: RawVisit, edges: np.ndarray, star: np.ndarray, *, star_light: np.ndarray
) -> np.ndarray | None:
    """(T, C) e⁻ per pixel of each AIRS-CH0 column and bin about its mean, or None.

    edges (T + 1,) exposures at which the bins begin · star (T,) relative flux · star_light (C,) in the edge
    rows. One course in time for all columns; how strong it is in a column is measured there and smoothed.
    """
    n_grid, (_, n_columns) = raw.selection.n_grid, raw.selection.grid
    beside = slice(n_grid, len(raw.selection))
    if beside.start >= beside.stop:
        return None
    step = max(1, raw.n_exposures // _ENOUGH_EXPOSURES)
    level = levels_beside(
        raw.adu, beside, bad=raw.pixels.bad, electrons_per_count=float(raw.pixels.factor), step=step
    )
    level = np.repeat(level, step)[: raw.n_exposures]
    given = {"star_light": float(star_light.mean()), "tolerance": AIRS_TOLERANCE}
    course = find_variation(bin_mean(level, edges), star, **given)
    if course is None:
        return None
    good = (~raw.pixels.bad[beside]).reshape(-1, n_columns)
    columns = _columns_beside(raw, beside, edges, good)
    exact = find_variation(columns.mean(axis=1), star, **given)
    course = course if exact is None else exact
    columns -= np.outer(star - np.median(star), star_light)
    strength = course @ (columns - columns.mean(axis=0)) / max(float(course @ course), 1e-12)
    known = good.any(axis=0)
    strength = np.interp(np.arange(n_columns), np.flatnonzero(known), strength[known])
    return np.outer(course, _running_mean(strength, _SMOOTH_COLUMNS))


def _columns_beside(raw: RawVisit, beside: slice, edges: np.ndarray, good: np.ndarray) -> np.ndarray:
    """(T, C) e⁻ per pixel: mean over each bin of a column's ``good`` (rows, C) pixels beside the trace."""
    n_columns, expansion = good.shape[1], raw.expansion.part(beside)
    total = np.zeros((len(edges) - 1, n_columns))
    bins = np.searchsorted(edges, np.arange(edges[-1]), side="right") - 1
    for start in range(int(edges[0]), int(edges[-1]), _BLOCK):
        stop = min(start + _BLOCK, int(edges[-1]))
        exposures = calibrate_block(raw.adu[2 * start : 2 * stop, beside], expansion)
        exposures = exposures.reshape(stop - start, -1, n_columns)
        exposures = np.einsum("trc,rc->tc", exposures, good.astype(np.float32))
        np.add.at(total, bins[start:stop], exposures / np.maximum(good.sum(axis=0), 1))
    return total / np.diff(edges)[:, None]


def window_variation(
    level: np.ndarray, flux: np.ndarray, *, star_light: float, segments: int
) -> np.ndarray | None:
    """(N,) e⁻ per pixel of every FGS1 exposure about the visit's mean, or None.

    level (N,) in the corners, flux (N,) of the star in each exposure: averaged over ``segments`` stretches.
    """
    edges = np.unique(np.linspace(0, len(level), segments + 1).astype(int))
    star = bin_mean(flux, edges)
    if not star.mean() > 0:
        return None
    level_mean, star = bin_mean(level, edges), star / star.mean()
    course = find_variation(level_mean, star, star_light=star_light, tolerance=FGS1_TOLERANCE)
    if course is None:
        return None
    return np.interp(np.arange(len(level)), 0.5 * (edges[:-1] + edges[1:] - 1), course)


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over ``width`` neighbours, fewer at the ends."""
    return np.convolve(values, np.ones(width), mode="same") / _neighbours(len(values), width)


def _neighbours(n: int, width: int) -> np.ndarray:
    return np.convolve(np.ones(n), np.ones(width), mode="same")
