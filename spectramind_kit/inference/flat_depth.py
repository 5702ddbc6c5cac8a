"""One flat depth per planet from the white light curve, with a constant sigma: what public notebooks do.

It is the yardstick of a run (the flat-depth baseline), and what a planet falls back to when its anchor is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.metric import N_BINS, array_score

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_DRIFT_DEGREE = 2
_INGRESS_FRACTION = 0.15   # of the transit's length; real ones are 18 … 42 min of 2.5 … 6 h
_SIGMA_GRID = np.geomspace(2e-5, 5e-3, 120)


def estimate_flat_depth(light_curve: LightCurve) -> float:
    """Depth of the best trapezoid times a quadratic drift in the AIRS-CH0 white light curve (dimensionless, >= 0).

    The trapezoid's centre and length are searched on a grid; depth and drift follow by linear least squares
    (flux = drift + depth·trapezoid·level), so that nothing has to converge. NaN for fewer than 12 usable steps.
    """
    time, flux = light_curve.time, np.asarray(light_curve.white_airs, dtype=np.float64)
    good = np.isfinite(flux) & np.isfinite(time)
    if good.sum() < 12 or not np.median(flux[good]) > 0:
        return float("nan")
    time, flux = time[good], flux[good] / np.median(flux[good])
    x = 2.0 * (time - time.mean()) / max(np.ptp(time), 1e-9)
    drift = np.stack([x ** k for k in range(_DRIFT_DEGREE + 1)], axis=1)      # (T, 3)
    basis, _ = np.linalg.qr(drift)
    rest = flux - basis @ (basis.T @ flux)
    span = np.ptp(time)
    centres = np.linspace(time.min() + 0.15 * span, time.max() - 0.15 * span, 61)
    lengths = np.linspace(0.15, 0.85, 29) * span
    t0, length = (grid.ravel()[:, None] for grid in np.meshgrid(centres, lengths, indexing="ij"))
    ingress = _INGRESS_FRACTION * length
    shape = np.clip((0.5 * length - np.abs(time - t0)) / ingress + 0.5, 0.0, 1.0)   # (G, T)
    shape = shape - (shape @ basis) @ basis.T
    power = np.einsum("gt,gt->g", shape, shape)
    amplitude = shape @ rest / np.maximum(power, 1e-12)
    gain = np.where(amplitude < 0, amplitude ** 2 * power, -np.inf)           # a transit lowers the flux
    best = int(np.argmax(gain))
    return float(-amplitude[best]) if np.isfinite(gain[best]) else 0.0


def flat_depths(light_curves: Mapping[int, Sequence[LightCurve]]) -> dict[int, float]:
    """Mean flat depth over the visits of each planet; NaN where no visit gives one."""
    found = {}
    for planet, visits in light_curves.items():
        values = np.array([estimate_flat_depth(visit) for visit in visits], dtype=np.float64)
        found[planet] = float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")
    return found


def fit_flat_baseline(depth: np.ndarray, flat: np.ndarray, *, naive: Mapping[str, float]) -> tuple[float, float]:
    """``(offset factor, sigma)`` of the baseline, from train planets: the median ratio of label to flat depth (limb
    darkening makes the trapezoid too deep by some per cent) and the constant sigma with the best official score.

    ``depth`` (N, 283) labels, ``flat`` (N,) estimates.
    """
    use = np.isfinite(flat) & (flat > 0)
    if not use.any():
        return 1.0, naive["naive_sigma"]
    ratio = float(np.median(depth[use].mean(axis=1) / flat[use]))
    mean = np.repeat(ratio * flat[use, None], N_BINS, axis=1)
    scores = [array_score(depth[use], mean, np.full_like(mean, s), clip=False, **naive) for s in _SIGMA_GRID]
    return ratio, float(_SIGMA_GRID[int(np.argmax(scores))])
