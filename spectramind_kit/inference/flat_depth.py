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

_DRIFT_DEGREE = 2
# of the transit's length; real ones are 18 … 42 min of 2.5 … 6 h (docs/decisions.md D7)
_INGRESS_FRACTIONS = (0.08, 0.14, 0.22, 0.35)
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
    """Depth (dimensionless, >= 0) of the best trapezoid times a quadratic drift in the white light curve.

    Of AIRS-CH0; of FGS1 where that is missing. The trapezoid's centre, length and ingress are searched on a
    grid; depth and drift follow by linear least squares (flux = drift + depth·trapezoid·level), so that
    nothing has to converge. NaN for fewer than 12 usable steps.
    """
    time, flux = light_curve.time, np.asarray(light_curve.white_airs, dtype=np.float64)
    if not np.isfinite(flux).any():
        flux = np.asarray(light_curve.fgs1, dtype=np.float64)
    good = np.isfinite(flux) & np.isfinite(time)
    if good.sum() < 12 or not np.median(flux[good]) > 0:
        return float("nan")
    time, flux = time[good], flux[good] / np.median(flux[good])
    x = 2.0 * (time - time.mean()) / max(np.ptp(time), 1e-9)
    drift = np.stack([x**k for k in range(_DRIFT_DEGREE + 1)], axis=1)  # (T, 3)
    basis, _ = np.linalg.qr(drift)
    rest = flux - basis @ (basis.T @ flux)
    span = np.ptp(time)
    centre = np.linspace(time.min() + 0.15 * span, time.max() - 0.15 * span, 41)
    length = np.linspace(0.15, 0.95, 25) * span
    fraction = np.array(_INGRESS_FRACTIONS)
    depth = 0.0
    for _ in range(3):  # a grid, then two finer ones around its best node
        found = _best_trapezoid(time, rest, basis, centre, length, fraction)
        if found is None:
            return depth
        depth, t0, best_length, best_fraction = found
        centre = t0 + np.linspace(-1, 1, 9) * (centre[1] - centre[0])
        length = best_length + np.linspace(-1, 1, 9) * (length[1] - length[0])
        fraction = best_fraction * np.array([0.8, 1.0, 1.25])
    return depth


def _best_trapezoid(
    time: np.ndarray,
    rest: np.ndarray,
    basis: np.ndarray,
    centre: np.ndarray,
    length: np.ndarray,
    fraction: np.ndarray,
) -> tuple[float, float, float, float] | None:
    """Depth, centre, length, ingress fraction of the trapezoid that explains most; None if none lowers it."""
    t0, span, part = (grid.ravel()[:, None] for grid in np.meshgrid(centre, length, fraction, indexing="ij"))
    shape = np.clip((0.5 * span - np.abs(time - t0)) / (part * span) + 0.5, 0.0, 1.0)  # (G, T)
    shape = shape - (shape @ basis) @ basis.T
    power = np.einsum("gt,gt->g", shape, shape)
    amplitude = shape @ rest / np.maximum(power, 1e-12)
    gain = np.where(amplitude < 0, amplitude**2 * power, -np.inf)  # a transit lowers the flux
    best = int(np.argmax(gain))
    if not np.isfinite(gain[best]):
        return None
    return float(-amplitude[best]), float(t0[best, 0]), float(span[best, 0]), float(part[best, 0])


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
