"""Outliers lose weight: single points, and whole times at which many wavelengths are off together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MAD_TO_SIGMA = 1.4826


def robust_weights(residual: Tensor, *, threshold: float, share_by_time: bool) -> Tensor:
    """Factor in (0, 1] for standardised residuals (..., W, T): 1 inside ``threshold`` robust sigma,
    (threshold/|z|)^2 beyond.

    With ``share_by_time`` the mean over the wavelengths is judged as well, so that a run of frames that is
    off by little in every wavelength (a pointing jump, a glitch) loses weight too. The scale is the median
    absolute deviation, never below 1: a poor fit does not turn the transit into outliers.
    """

    def factor(z: Tensor) -> Tensor:
        size = z.abs()
        sigma = (_MAD_TO_SIGMA * size.median(dim=-1, keepdim=True).values).clamp_min(1.0)
        return (threshold / (size / sigma).clamp_min(threshold)).square()

    weights = factor(residual)
    if share_by_time and residual.shape[-2] > 1:
        weights = weights * factor(residual.mean(-2, keepdim=True) * math.sqrt(residual.shape[-2]))
    return weights


def outlier_factor(residual: Tensor, base_weight: Tensor, threshold: float) -> Tensor:
    """Robust factor (..., W, T). The sensors are judged apart, but a time that most of AIRS-CH0 rejects is
    lost to FGS1 too."""
    z = residual * base_weight.sqrt()
    airs = robust_weights(z[..., 1:, :], threshold=threshold, share_by_time=True)
    fgs1 = robust_weights(z[..., :1, :], threshold=threshold, share_by_time=False)
    return torch.cat([fgs1 * airs.median(-2, keepdim=True).values, airs], dim=-2)
