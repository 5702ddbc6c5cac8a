"""The noise of a visit: its size from point to point, and over tens of minutes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.robust import MAD_TO_SIGMA, median_of_known, running_median

# of scatter over given errors (docs/decisions.md D22): noise-free light curves must not weigh infinitely
_SCALE_LIMITS = (0.05, 50.0)
_NEIGHBOURS = 15  # wavelengths that share one scale
_OWN_SCALE_SIGMA = 4.0  # beyond it a wavelength has its own
_FEWEST_DIFFERENCES = 8
_BLOCK = 8  # points of a mean in which noise is slow
_FEWEST_POINTS, _FEWEST_BLOCKS = 12, 6
_DRIFT_TERMS = 4.0  # they follow the slow part of the residuals
_CLIP_SIGMA = 4.0


def high_frequency_scatter(values: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Robust sigma (W,) of white noise in ``values`` in units of ``error``, (T, W), blind to slow changes.

    The median absolute third difference, y0 - 3 y1 + 3 y2 - y3, over its own error: a transit's contacts
    touch a few of them and the median does not see those. The values are never divided by their errors first:
    errors that differ from point to point, or that follow the values' own noise, would then pass for noise or
    hide it. NaN where fewer than eight differences exist.
    """
    if len(values) < 3 + _FEWEST_DIFFERENCES:
        return np.full(values.shape[1], np.nan)
    variance = np.square(error)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(variance[3:] + 9.0 * variance[2:-1] + 9.0 * variance[1:-2] + variance[:-3])
        third = np.abs(values[3:] - 3.0 * values[2:-1] + 3.0 * values[1:-2] - values[:-3]) / sigma
    third[~np.isfinite(third)] = np.nan
    third[:, np.isfinite(third).sum(0) < _FEWEST_DIFFERENCES] = np.nan
    return MAD_TO_SIGMA * median_of_known(third, axis=0)


def estimate_noise_scale(flux: np.ndarray, flux_err: np.ndarray) -> np.ndarray:
    """Scatter over ``flux_err`` per wavelength, (W,); smooth over neighbours in AIRS-CH0.

    187 points give a scatter to 6 %; fifteen neighbours share one value unless a bin stands out by 4 of these
    sigma (a hot or dying column), so the weights of the fit do not carry that error.
    """
    scale = high_frequency_scatter(flux, flux_err)
    scale = np.where(np.isfinite(scale) & (scale > 0.0), scale, 1.0)
    if len(scale) > _NEIGHBOURS + 1:
        smooth = running_median(scale[1:], _NEIGHBOURS)
        own = np.abs(np.log(scale[1:] / smooth)) > _OWN_SCALE_SIGMA * 1.2 / math.sqrt(len(flux))
        scale[1:] = np.where(own, scale[1:], smooth)
    return np.clip(scale, *_SCALE_LIMITS)


def red_noise_factor(residual: Tensor, variance: Tensor) -> tuple[float, float]:
    """How much noisier residuals (T,) are than their ``variance`` (T,): (of one point, of means over eight).

    A depth is a difference of long means, so noise that is correlated over a transit's ingress counts more
    than its point-to-point scatter tells (Pont, Zucker & Queloz 2006). The second number is never below the
    first; its excess counts only beyond the one-sigma scatter that so few blocks have by chance.
    """
    used = torch.isfinite(variance) & (variance < 1e20)
    z = residual[used] / variance[used].sqrt()
    if len(z) < _FEWEST_POINTS:
        return 1.0, 1.0
    limit = _CLIP_SIGMA * float((MAD_TO_SIGMA * z.abs().median()).clamp_min(0.2))
    z = z.clamp(-limit, limit)
    white = float(z.square().mean())
    n = len(z) // _BLOCK
    if n < _FEWEST_BLOCKS:
        return white, white
    means = z[: n * _BLOCK].reshape(n, _BLOCK).mean(1)
    red = _BLOCK * float(means.square().sum()) / max(n - _DRIFT_TERMS, 1.0)
    excess = red / max(white, 1e-12) - 1.0 - math.sqrt(2.0 / n)
    return white, white * (1.0 + max(0.0, excess))
