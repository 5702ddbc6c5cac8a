"""The last step: a depth and its 1-sigma error for every bin."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectramind_kit.errors import check_choice
from spectramind_kit.metric import OFFICIAL_NAIVE_MEAN, OFFICIAL_NAIVE_SIGMA

FORMS = ("anchored", "raw")


class HeadOutput(NamedTuple):
    """A spectrum and what it is made of, all (B, 283)."""

    depth_mean: Tensor  # transit depth
    depth_sigma: Tensor  # transit depth, > 0
    delta: Tensor  # the network's own number for the mean, in units of the form's spread
    log_scale: Tensor  # the network's own number for the error


def _bounded(value: Tensor, bound: float) -> Tensor:
    """Identity near zero, saturating at ±bound."""
    return bound * torch.tanh(value / bound)


class HeteroscedasticHead(nn.Module):
    """Mean and error per bin; sigma > 0 by construction, its logarithm bounded.

    ``anchored``: depth = anchor + anchor_err · delta, sigma = anchor_err · exp(log_scale). The last layer
    starts at zero, so a fresh head returns the anchor, bit for bit.
    ``raw``: depth = mean + spread · delta, sigma = spread · exp(log_scale), with the mean and spread of all
    depths: a fresh head returns the naive prediction of the metric.

    Parameters
    ----------
    delta_bound : float               largest |delta| (docs/decisions.md D47)
    log_scale_bound : float           largest |log_scale|
    depth_location, depth_spread      of the raw form, transit depth
    """

    def __init__(
        self,
        *,
        width: int,
        form: str = "anchored",
        hidden: int = 0,
        delta_bound: float = 6.0,
        log_scale_bound: float = 2.0,
        depth_location: float = OFFICIAL_NAIVE_MEAN,
        depth_spread: float = OFFICIAL_NAIVE_SIGMA,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_choice(form, FORMS, what="form of the head", where="decoder")
        hidden = hidden or 2 * width
        self.form, self.delta_bound, self.log_scale_bound = form, delta_bound, log_scale_bound
        self.depth_location, self.depth_spread = depth_location, depth_spread
        # FGS1 weighs as much as 58 AIRS bins and has noise of another kind: its last layers are its own
        self.fgs1 = self._layers(width, hidden, dropout)
        self.airs = self._layers(width, hidden, dropout)

    @staticmethod
    def _layers(width: int, hidden: int, dropout: float) -> nn.Sequential:
        last = nn.Linear(hidden, 2)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), last)

    def forward(self, fused: Tensor, *, anchor_depth: Tensor, anchor_err: Tensor) -> HeadOutput:
        """fused (B, 283, D), anchor_depth, anchor_err (B, 283) -> `HeadOutput`, in the anchor's dtype."""
        raw = torch.cat([self.fgs1(fused[:, :1]), self.airs(fused[:, 1:])], dim=1)
        with torch.autocast(device_type=fused.device.type, enabled=False):
            delta, log_scale = raw.to(torch.promote_types(anchor_depth.dtype, torch.float32)).unbind(-1)
            delta, log_scale = _bounded(delta, self.delta_bound), _bounded(log_scale, self.log_scale_bound)
            mean, spread = anchor_depth, anchor_err
            if self.form == "raw":
                mean, spread = self.depth_location, self.depth_spread
                # depths span 10³ in precision: the anchored form's bound around log(1) is widened
                log_scale = log_scale * (math.log(1e4) / self.log_scale_bound)
            return HeadOutput(mean + spread * delta, spread * torch.exp(log_scale), delta, log_scale)
