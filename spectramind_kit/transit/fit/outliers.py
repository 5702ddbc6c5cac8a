"""Outliers lose weight: single points, and whole times at which many wavelengths are off together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spectramind_kit.robust import MAD_TO_SIGMA
from spectramind_kit.transit.likelihood.parameters import AIRS, FGS1


def robust_weights(residual: Tensor, *, threshold: float) -> Tensor:
    """Factor for standardised residuals (..., W, T): 1 within ``threshold`` sigma, (threshold/|z|)^2 beyond.

    The mean over the wavelengths is judged as well, so that a run of frames that is off by little in every
    wavelength (a pointing jump, a glitch) loses weight too. The scale is the median absolute deviation, never
    below 1: a poor fit does not turn the transit into outliers.
    """

    def factor(z: Tensor) -> Tensor:
        size = z.abs()
        sigma = (MAD_TO_SIGMA * size.median(dim=-1, keepdim=True).values).clamp_min(1.0)
        return (threshold / (size / sigma).clamp_min(threshold)).square()

    weights, n_wave = factor(residual), residual.shape[-2]
    if n_wave == 1:
        return weights
    return weights * factor(residual.mean(-2, keepdim=True) * math.sqrt(n_wave))


def outlier_factor(residual: Tensor, base_weight: Tensor, threshold: float) -> Tensor:
    """Robust factor (..., W, T) of each sensor; a time that most of AIRS-CH0 rejects is lost to FGS1 too."""
    z = residual * base_weight.sqrt()
    fgs1, airs = (robust_weights(z[..., part, :], threshold=threshold) for part in (FGS1, AIRS))
    return torch.cat([fgs1 * airs.median(-2, keepdim=True).values, airs], dim=-2)
