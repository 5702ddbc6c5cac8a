"""The foreground from a transit: the star's light dips, the foreground does not.

What lies beside the star is f + s·L, the star's core c·L, so their ratio s/c + (f/c)/L is a line over 1/L,
whose slope is the foreground over the core. The gain's drift is common to both and cancels; neither the time
of the transit nor the shape of the star's wing need be known (docs/decisions.md D39).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.robust import mad_sigma

_FEWEST_BINS = 12
_DEPTH_SPREAD = 0.1  # 1σ of a group's dip over the white dip, relative: where the dip is lost in noise, 1
_CLIP_SIGMAS, _ROUNDS = 4.5, 2  # a particle beside the star


@dataclass(frozen=True)
class Dilution:
    """What the ratios of G groups of columns say."""

    foreground: np.ndarray  # (G,) e⁻ per pixel and exposure; of any size and sign where there is no transit
    error: np.ndarray  # (G,) 1σ


def measure_dilution(beside: np.ndarray, core: np.ndarray) -> Dilution | None:
    """From series over the bins of a visit; None where they are too short, or hold no star.

    Parameters
    ----------
    beside : (T, G) e⁻ per pixel and exposure beside the star.
    core : (T, G) e⁻ per exposure of the star in the same columns.

    1/L comes from all groups together, which is nearly free of noise, times how much deeper or shallower a
    group's own dip is. A straight line in time stands for what may change slowly; a parabola looks like a
    transit and would cost half of the information.
    """
    level = core.mean(axis=0)
    if len(core) < _FEWEST_BINS or not (core > 0).all() or not np.isfinite(beside).all():
        return None
    white = core.sum(axis=1)
    x = white.mean() / white - 1.0
    if not x.std() > 0:
        return None
    design = np.stack([np.ones(len(x)), np.linspace(-1.0, 1.0, len(x)), x - x.mean()], axis=1)
    own, own_error = np.transpose([_slope(design, inverse) for inverse in (level / core).T])
    strength = 1.0 + (own - 1.0) * _DEPTH_SPREAD**2 / (_DEPTH_SPREAD**2 + own_error**2)
    slope, error = np.transpose([_slope(design, ratio) for ratio in (beside / core).T])
    scale = level / np.maximum(strength, _DEPTH_SPREAD)
    return Dilution(slope * scale, np.maximum(error * scale, 1e-9))


def _slope(design: np.ndarray, series: np.ndarray) -> tuple[float, float]:
    """Coefficient of the last column of ``design`` (T, K) in a series (T,), and its error."""
    keep = np.ones(len(series), bool)
    for _ in range(_ROUNDS):
        used = design[keep]
        inverse = np.linalg.pinv(used.T @ used)
        rest = series - design @ (inverse @ (used.T @ series[keep]))
        sigma = mad_sigma(rest[keep], centre=0.0)
        kept, keep = keep, np.abs(rest) <= max(_CLIP_SIGMAS * sigma, 1e-30)
    variance = (rest[kept] ** 2).sum() / max(1, kept.sum() - design.shape[1])
    return float((inverse @ (used.T @ series[kept]))[-1]), float(np.sqrt(variance * inverse[-1, -1]))
