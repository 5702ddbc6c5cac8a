"""Foreground that changes during a visit, seen beside the star, in time bins.

The star's wing reaches the pixels beside it, so a transit shows there too: what the star's flux explains is
taken out first, and a change counts only where it is larger than the wing could be wrong by
(docs/decisions.md D42).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.robust import mad_sigma, running_median

_SIGNIFICANT = 5.0  # σ; this and the wing's error: docs/decisions.md D42
_STEADY = 5  # bins averaged: a change of the sky takes longer
_CLEAR = 25.0  # σ of a bin: such a change is subtracted as it is, without averaging its edges away
_NEAREST = 5  # bins whose median stands for one that a particle lifts
_WING_ERROR = 0.3  # relative error of the star light beside the star
_LEAST_DIP = 1e-3  # of the star: less has no shape to look for
_SMOOTH_COLUMNS = 25


@dataclass(frozen=True)
class Tolerance:
    """What a level may do without being a change."""

    level: float  # e⁻ per pixel and exposure
    wing: float  # what the wing may be wrong by, in the same unit


AIRS_TOLERANCE = Tolerance(level=0.3, wing=3.0)
FGS1_TOLERANCE = Tolerance(level=0.05, wing=0.5)


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


def trace_variation(beside: np.ndarray, star: np.ndarray, *, star_light: np.ndarray) -> np.ndarray | None:
    """(T, C) e⁻ per pixel of each AIRS-CH0 column and bin about its mean, or None.

    beside (T, C) of the edge rows (`columns_beside`) · star (T,) relative flux · star_light (C,) in the edge
    rows. One course in time for all columns; how strong it is in a column is measured there and smoothed.
    """
    level = beside.mean(axis=1)
    course = find_variation(level, star, star_light=float(star_light.mean()), tolerance=AIRS_TOLERANCE)
    if course is None:
        return None
    columns = beside - np.outer(star - np.median(star), star_light)
    strength = course @ (columns - columns.mean(axis=0)) / max(float(course @ course), 1e-12)
    return np.outer(course, _running_mean(strength, _SMOOTH_COLUMNS))


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
