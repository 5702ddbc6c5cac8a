"""Foreground that changes during a visit, seen beside the star, in time bins.

The star's wing reaches the pixels beside it, so a transit shows there too: what the star's flux explains is
taken out first, and a change counts only where it is larger than the wing could be wrong by
(docs/decisions.md D42).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.calibrate import calibrate_block
from spectramind_kit.detector.dead_time import sum_of_pixels

_SIGNIFICANT = 5.0
_STEADY = 5  # bins averaged: a change of the sky takes longer
# a change of so many σ of a bin is subtracted as it is, without averaging its edges away
_CLEAR = 25.0
_WING_ERROR = 0.3  # relative error of the star light beside the star
_SMOOTH_COLUMNS = 25
_BLOCK = 64  # exposures
_ENOUGH_EXPOSURES = 1500  # of AIRS-CH0, to see a change; what is subtracted is measured on all


@dataclass(frozen=True)
class Tolerance:
    """e⁻ per pixel and exposure: what a level may do without being a change, and what the wing may be wrong
    by."""

    level: float
    wing: float


AIRS_TOLERANCE = Tolerance(level=0.3, wing=3.0)
FGS1_TOLERANCE = Tolerance(level=0.05, wing=0.5)


def levels_beside(
    adu: np.ndarray, beside: slice, *, bad: np.ndarray, electrons_per_count: float, step: int = 1
) -> np.ndarray:
    """(ceil(N / step),) e⁻ per good pixel beside the star in every ``step``-th exposure, from raw frames (2N,
    P).

    The difference of the summed counts: linearity and flat hardly matter for so little light, and a bad pixel
    does not change. An exposure that a cosmic ray lifts is drawn to the median.
    """
    first, last = (sum_of_pixels(adu[read :: 2 * step], beside) for read in (0, 1))
    level = (last - first) * (electrons_per_count / max(1, int((~bad[beside]).sum())))
    centre = np.median(level)
    sigma = 1.4826 * np.median(np.abs(level - centre))
    return (
        np.where(np.abs(level - centre) > max(8.0 * sigma, 1e-9), _running_median(level), level)
        if sigma > 0
        else level
    )


def find_variation(
    level: np.ndarray, star: np.ndarray, *, star_light: float, tolerance: Tolerance
) -> np.ndarray | None:
    """What the foreground does about its mean, (T,) e⁻ per pixel, or None where it does nothing that is
    significant.

    level (T,) beside the star in each bin · star (T,) its relative flux, mean 1 · star_light: of it beside
    the star, e⁻ per pixel.
    """
    n = len(level)
    if n < 2 * _STEADY or not (np.isfinite(level).all() and np.isfinite(star).all()):
        return None
    dip = star - np.median(star)
    rest = level - star_light * dip
    rest = rest - np.median(rest)
    sigma = 1.4826 * np.median(np.abs(np.diff(rest))) / np.sqrt(2.0)
    # a particle beside the star: one bin above or below both its neighbours
    ahead, behind = np.diff(rest, prepend=rest[1]), -np.diff(rest, append=rest[-2])
    lone = (ahead * behind > 0) & (np.minimum(np.abs(ahead), np.abs(behind)) > _SIGNIFICANT * sigma)
    rest = np.where(lone, _running_median(rest), rest)
    wing_error = _WING_ERROR * abs(star_light) + tolerance.wing
    steady = _running_mean(rest, _STEADY)
    noise = sigma / np.sqrt(_neighbours(n, _STEADY))
    changes = bool(
        (np.abs(steady) > np.maximum(_SIGNIFICANT * noise, tolerance.level) + wing_error * np.abs(dip)).any()
    )
    # a change as long as the transit is what hurts most, and a fit of the transit's shape sees it best
    shape = dip - dip.mean()
    power = float(shape @ shape)
    if power > 0 and np.ptp(star) > 1e-3:
        x = np.linspace(-1.0, 1.0, n)
        design = np.stack([np.ones(n), x, x * x, shape], axis=1)
        inverse = np.linalg.pinv(design.T @ design)
        amplitude = float((inverse @ (design.T @ rest))[3])
        error = float(np.sqrt(max(inverse[3, 3], 0.0)) * sigma)
        changes = changes or abs(amplitude) > _SIGNIFICANT * error + wing_error
    if not changes:
        return None
    out = rest if np.abs(steady).max() > _CLEAR * sigma else steady
    return out - out.mean()


def trace_variation(raw, edges: np.ndarray, star: np.ndarray, *, star_light: np.ndarray) -> np.ndarray | None:
    """(T, C) e⁻ per pixel of each AIRS-CH0 column and bin about its mean, or None.

    raw : RawVisit · edges (T + 1,) exposures at which the bins begin · star (T,) relative flux · star_light
    (C,) in the edge rows. One course in time for all columns; how strong it is in a column is measured there
    and smoothed.
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
    course = find_variation(
        _bin_mean(level, edges), star, star_light=float(star_light.mean()), tolerance=AIRS_TOLERANCE
    )
    if course is None:
        return None
    pixels, expansion = raw.pixels.part(beside), raw.expansion.part(beside)
    total = np.zeros((len(edges) - 1, n_columns))
    bins = np.searchsorted(edges, np.arange(edges[-1]), side="right") - 1
    good = (~pixels.bad).reshape(-1, n_columns)
    for start in range(int(edges[0]), int(edges[-1]), _BLOCK):
        stop = min(start + _BLOCK, int(edges[-1]))
        exposures = calibrate_block(raw.adu[2 * start : 2 * stop, beside], expansion)
        exposures = exposures.reshape(stop - start, -1, n_columns)
        exposures = np.einsum("trc,rc->tc", exposures, good.astype(np.float32))
        np.add.at(total, bins[start:stop], exposures / np.maximum(good.sum(axis=0), 1))
    columns = total / np.diff(edges)[:, None]
    exact = find_variation(
        columns.mean(axis=1), star, star_light=float(star_light.mean()), tolerance=AIRS_TOLERANCE
    )
    course = course if exact is None else exact
    columns -= np.outer(star - np.median(star), star_light)
    strength = course @ (columns - columns.mean(axis=0)) / max(float(course @ course), 1e-12)
    known = good.any(axis=0)
    strength = np.interp(np.arange(n_columns), np.flatnonzero(known), strength[known])
    return np.outer(course, _running_mean(strength, _SMOOTH_COLUMNS))


def window_variation(
    level: np.ndarray, flux: np.ndarray, *, star_light: float, segments: int
) -> np.ndarray | None:
    """(N,) e⁻ per pixel of every FGS1 exposure about the visit's mean, or None.

    level (N,) in the corners and flux (N,) of the star in each exposure; both are averaged over ``segments``
    stretches.
    """
    edges = np.unique(np.linspace(0, len(level), segments + 1).astype(int))
    star = _bin_mean(flux, edges)
    if not star.mean() > 0:
        return None
    course = find_variation(
        _bin_mean(level, edges), star / star.mean(), star_light=star_light, tolerance=FGS1_TOLERANCE
    )
    if course is None:
        return None
    return np.interp(np.arange(len(level)), 0.5 * (edges[:-1] + edges[1:] - 1), course)


def _bin_mean(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.add.reduceat(np.asarray(values, np.float64)[: edges[-1]], edges[:-1]) / np.diff(edges)


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over ``width`` neighbours, fewer at the ends."""
    return np.convolve(values, np.ones(width), mode="same") / _neighbours(len(values), width)


def _neighbours(n: int, width: int) -> np.ndarray:
    return np.convolve(np.ones(n), np.ones(width), mode="same")


def _running_median(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, 2, mode="reflect") if len(values) > 2 else np.pad(values, 2, mode="edge")
    return np.median(np.stack([padded[k : k + len(values)] for k in range(5)]), axis=0)
