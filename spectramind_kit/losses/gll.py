"""The Gaussian log-likelihood with the metric's weights, and the metric itself in differentiable form.

Source: the scorer of the Ariel Data Challenge 2025. FGS1's bin weighs 57.846, every AIRS bin 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spectramind_kit.metric import AIRS_SIGMA_TRUE, FGS1_SIGMA_TRUE, FGS1_WEIGHT, SIGMA_FLOOR

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def bin_weights(n_bins: int, *, fgs1_weight: float = FGS1_WEIGHT, like: Tensor) -> Tensor:
    """(n_bins,) weights of the metric, in the dtype and on the device of ``like``; index 0 is FGS1."""
    weights = like.new_ones(n_bins)
    weights[0] = fgs1_weight
    return weights


def weighted_mean(values: Tensor, weights: Tensor, known: Tensor) -> Tensor:
    """Mean of (B, W) values with (W,) weights over the elements that are known; zero when none is."""
    weights = weights * known
    return (torch.where(known, values, torch.zeros_like(values)) * weights).sum() / weights.sum().clamp(
        min=1e-12
    )


def gaussian_loss(
    depth_mean: Tensor,
    depth_sigma: Tensor,
    depth: Tensor,
    *,
    reference_err: Tensor | None = None,
    fgs1_weight: float = FGS1_WEIGHT,
    pull_limit: float = 0.0,
) -> Tensor:
    """Weighted mean of pull²/2 + log(sigma / reference_err), a scalar.

    Parameters
    ----------
    depth_mean, depth_sigma, depth : (B, W), transit depth; a label that is not finite is left out
    reference_err : (B, W)
        Only shifts the value (the anchor's error: then 0.5 is what a perfectly calibrated anchor reaches).
    pull_limit : float
        Beyond so many sigma the loss grows linearly, which keeps one broken planet from owning the gradient;
        0 = never.
    """
    known = torch.isfinite(depth)
    pull = (torch.where(known, depth, depth_mean) - depth_mean) / depth_sigma
    misfit = 0.5 * pull.square()
    if pull_limit > 0:
        misfit = torch.where(pull.abs() <= pull_limit, misfit, pull_limit * (pull.abs() - 0.5 * pull_limit))
    width = depth_sigma if reference_err is None else depth_sigma / reference_err
    weights = bin_weights(depth.shape[-1], fgs1_weight=fgs1_weight, like=depth_mean)
    return weighted_mean(misfit + torch.log(width), weights, known)


def official_score(
    depth_mean: Tensor,
    depth_sigma: Tensor,
    depth: Tensor,
    *,
    naive_mean: float,
    naive_sigma: float,
    fgs1_weight: float = FGS1_WEIGHT,
    clip: bool = False,
) -> Tensor:
    """The competition's score as a differentiable scalar; higher is better, 1 is perfect, 0 is the naive
    prediction.

    Per element (log N(y|mu, s) - log N(y|m, S)) / (log N(y|y, s_true) - log N(y|m, S)) with s = max(sigma,
    1e-15), then the weighted mean. ``clip`` cuts to [0, 1] as the host does (no gradient outside). Computed
    in float64 where the device has it.
    """
    wide = torch.float32 if depth_mean.device.type == "mps" else torch.float64
    depth_mean, depth_sigma, depth = (t.to(wide) for t in (depth_mean, depth_sigma, depth))
    known = torch.isfinite(depth)
    y = torch.where(known, depth, depth_mean.detach())
    sigma_true = torch.full_like(y, AIRS_SIGMA_TRUE)
    sigma_true[..., 0] = FGS1_SIGMA_TRUE
    sigma = depth_sigma.clamp(min=SIGMA_FLOOR)
    predicted = -0.5 * ((y - depth_mean) / sigma).square() - torch.log(sigma) - _HALF_LOG_TWO_PI
    naive = -0.5 * ((y - naive_mean) / naive_sigma).square() - math.log(naive_sigma) - _HALF_LOG_TWO_PI
    perfect = -torch.log(sigma_true) - _HALF_LOG_TWO_PI
    score = weighted_mean(
        (predicted - naive) / (perfect - naive),
        bin_weights(y.shape[-1], fgs1_weight=fgs1_weight, like=y),
        known,
    )
    return score.clamp(0.0, 1.0) if clip else score
