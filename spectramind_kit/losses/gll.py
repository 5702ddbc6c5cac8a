"""The Gaussian log-likelihood with the metric's weights, and the metric itself as something to learn from.

Source: the scorer of the Ariel Data Challenge 2025. FGS1's bin weighs 57.846, every AIRS bin 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectramind_kit.metric import FGS1_WEIGHT, Metric


def weighted_mean(values: Tensor, known: Tensor, *, fgs1_weight: float) -> Tensor:
    """Mean of (B, W) values over the elements that are known, FGS1's bin weighted; zero when none is."""
    weights = values.new_ones(values.shape[-1])
    weights[0] = fgs1_weight
    weights = weights * known
    values = torch.where(known, values, torch.zeros_like(values))
    return (values * weights).sum() / weights.sum().clamp(min=1e-12)


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
    return weighted_mean(misfit + torch.log(width), known, fgs1_weight=fgs1_weight)


def official_score(
    depth_mean: Tensor,
    depth_sigma: Tensor,
    depth: Tensor,
    *,
    metric: Metric,
    fgs1_weight: float = FGS1_WEIGHT,
) -> Tensor:
    """`Metric.score` of (B, W) tensors as a differentiable scalar, not clipped.

    Labels that are not finite are left out. Computed in float64 where the device has it.
    """
    wide = torch.float32 if depth_mean.device.type == "mps" else torch.float64
    depth_mean, depth_sigma, depth = (t.to(wide) for t in (depth_mean, depth_sigma, depth))
    known = torch.isfinite(depth)
    truth = torch.where(known, depth, depth_mean.detach())
    scores = metric.element_scores(truth, depth_mean, depth_sigma)
    return weighted_mean(scores, known, fgs1_weight=fgs1_weight)
