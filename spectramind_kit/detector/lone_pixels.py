"""Pixels that shine by themselves: hot since the calibration, or stuck at a high count."""

from __future__ import annotations

import numpy as np

from spectramind_kit.robust import mad_sigma

_OVER_NEIGHBOURS = 2.0  # the second brightest of eight: a hot pixel may have a hot neighbour
_FEWEST_NEIGHBOURS = 5  # good ones
_SHARE_OF_WINDOW, _SHARE_OF_COLUMN = 0.005, 0.03  # of the light, by which a pixel must stand out
_CORNER_SIGMAS = 10.0  # of the corners' own spread
_LEAST_E = 30.0  # per exposure: a noisy pixel is not that far off in the mean of a visit


def find_lone_pixels(
    mean: np.ndarray, grid: tuple[int, int], *, bad: np.ndarray, by_column: bool
) -> np.ndarray:
    """(P,) bool: good pixels of a rectangle that are far brighter than what surrounds them.

    mean (P,) e⁻ per exposure and bad (P,): of the rectangle, row by row · by_column: AIRS-CH0, where a pixel
    counts beside the light of its own column; else FGS1's window, beside that of all. Such light does not
    follow the star and makes a transit shallower.
    """
    image = np.where(bad, 0.0, mean).reshape(grid)
    image = image - np.median(image)
    around = np.sort(_neighbours(image), axis=0)[-2]
    excess = image - _OVER_NEIGHBOURS * np.maximum(around, 0.0)
    judged = _neighbours(~bad.reshape(grid)).sum(axis=0) >= _FEWEST_NEIGHBOURS
    light = np.maximum(image, 0.0)
    least = _SHARE_OF_COLUMN * light.sum(axis=0) if by_column else _SHARE_OF_WINDOW * light.sum()
    return ((excess > np.maximum(least, _LEAST_E)) & judged & ~bad.reshape(grid)).ravel()


def find_lone_corners(mean: np.ndarray, *, bad: np.ndarray) -> np.ndarray:
    """(P,) bool: good pixels of FGS1's corners, (P,) e⁻ per exposure, far above or below the others."""
    good = ~bad
    if good.sum() < _FEWEST_NEIGHBOURS:
        return np.zeros(len(mean), bool)
    away = np.abs(mean - np.median(mean[good]))
    return good & (away > max(_CORNER_SIGMAS * float(mad_sigma(away[good], centre=0.0)), _LEAST_E))


def _neighbours(image: np.ndarray) -> np.ndarray:
    """(8, rows, columns) what surrounds each pixel; zero beyond the edge."""
    rows, columns = image.shape
    padded = np.pad(image, 1)
    shifts = [(dr, dc) for dr in (0, 1, 2) for dc in (0, 1, 2) if (dr, dc) != (1, 1)]
    return np.stack([padded[dr : dr + rows, dc : dc + columns] for dr, dc in shifts])
