"""One flat depth per planet from the white light curve, with a constant sigma: what public notebooks do.

It is the yardstick of a run (the flat-depth baseline), and what a planet falls back to when its anchor is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.metric import N_BINS, Metric
from spectramind_kit.transit.white_transit import LEAST_STEPS, find_white_transit, white_curve

_DOUBT = 1e-3  # error of a flat depth when nothing is known about it; counts as one train planet
_SIGMA_GRID = np.geomspace(2e-5, 5e-3, 120)


class FlatBaseline(NamedTuple):
    """How a flat depth becomes a spectrum."""

    ratio: float  # of the spectrum to the flat depth
    sigma: float  # depth, of every bin of every planet

    def spectra(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Depths and errors, (N, 283) each, of N flat depths."""
        mean = np.repeat(self.ratio * flat[:, None], N_BINS, axis=1)
        return mean, np.full_like(mean, self.sigma)


def estimate_flat_depth(light_curve: LightCurve) -> float:
    """Depth (dimensionless, >= 0) of the white light curve's `find_white_transit`.

    Of AIRS-CH0; of FGS1 where that is missing. NaN for fewer than 12 usable steps, 0 where no step is lower
    than the rest.
    """
    white = white_curve(light_curve)
    if np.isfinite(white).sum() < LEAST_STEPS or not np.nanmedian(white) > 0:
        return float("nan")
    found = find_white_transit(light_curve.time, white)
    return 0.0 if found is None else found.depth


def flat_depths(light_curves: Mapping[int, Sequence[LightCurve]]) -> dict[int, float]:
    """Mean flat depth over the visits of each planet; NaN where no visit gives one."""
    found = {}
    for planet, visits in light_curves.items():
        values = np.array([_or_nan(visit) for visit in visits], dtype=np.float64)
        values = values[np.isfinite(values)]
        found[planet] = float(values.mean()) if len(values) else float("nan")
    return found


def _or_nan(visit: LightCurve) -> float:
    try:
        return estimate_flat_depth(visit)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return float("nan")


def fit_flat_baseline(depth: np.ndarray, flat: np.ndarray, *, metric: Metric) -> FlatBaseline:
    """The median ratio of label to flat depth, and the constant sigma with the best official score.

    Limb darkening makes the trapezoid too deep by some per cent. ``depth`` (N, 283) labels, ``flat`` (N,)
    estimates.
    """
    use = np.isfinite(flat) & (flat > 0)
    if not use.any():
        return FlatBaseline(1.0, metric.sigma)
    ratio = float(np.median(depth[use].mean(axis=1) / flat[use]))
    spectra = (FlatBaseline(ratio, s).spectra(flat[use]) for s in _SIGMA_GRID)
    scores = [metric.score(depth[use], *spectrum, clip=False) for spectrum in spectra]
    best, n = float(_SIGMA_GRID[int(np.argmax(scores))]), int(use.sum())
    return FlatBaseline(ratio, float(np.sqrt((n * best**2 + _DOUBT**2) / (n + 1))))
