"""The last step: a depth and its 1-sigma error for every bin."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class HeadOutput(NamedTuple):
    """A spectrum and what it is made of, all (B, 283)."""

    depth_mean: Tensor  # transit depth
    depth_sigma: Tensor  # transit depth, > 0
    delta: Tensor  # the network's own number for the mean, in units of the form's spread
    log_scale: Tensor  # the network's own number for the error


class LastLayers(nn.Module):
    """Pointwise, two layers, to a mean and a log sigma: (..., D) -> (..., 2). Both begin at zero.

    Those of sigma are marked: an optimiser may hold them by a decay of their own
    (`training.schedule.parameter_groups`).
    """

    def __init__(self, width: int, hidden: int, *, dropout: float):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout))
        self.mean, self.sigma = (nn.Linear(hidden, 1) for _ in range(2))
        for layer in (self.mean, self.sigma):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.sigma.weight.is_of_sigma = True

    def forward(self, h: Tensor) -> Tensor:
        h = self.hidden(h)
        return torch.cat([self.mean(h), self.sigma(h)], dim=-1)


def bounded(value: Tensor, bound: float) -> Tensor:
    """Identity near zero, saturating at ±bound."""
    return bound * torch.tanh(value / bound)


class HeteroscedasticHead(nn.Module):
    """A correction of the anchor; sigma > 0 by construction, its logarithm bounded.

    depth = anchor + anchor_err · delta, sigma = anchor_err · exp(log_scale). The last layers start at zero,
    so a fresh head returns the anchor, bit for bit.

    Parameters
    ----------
    readings : int                    R of the fusion: delta is linear in them too; 0: none
    delta_bound : float               largest |delta| (docs/decisions.md D47)
    log_scale_bound : float           largest |log_scale|
    """

    def __init__(
        self,
        *,
        width: int,
        readings: int = 0,
        hidden: int = 0,
        delta_bound: float = 6.0,
        log_scale_bound: float = 2.0,
        dropout: float = 0.0,
    ):
        super().__init__()
        hidden = hidden or 2 * width
        self.delta_bound, self.log_scale_bound = delta_bound, log_scale_bound
        # FGS1 weighs as much as 58 AIRS bins and has noise of another kind: its last layers are its own
        self.fgs1, self.airs = (LastLayers(width, hidden, dropout=dropout) for _ in range(2))
        self.linear = nn.Linear(readings, 1, bias=False) if readings else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)

    def forward(
        self, fused: Tensor, *, reference_depth: Tensor, reference_err: Tensor, readings: Tensor | None = None
    ) -> HeadOutput:
        """fused (B, 283, D), the anchor and its error (B, 283), readings (B, 283, R) -> `HeadOutput`.

        In the anchor's dtype.
        """
        raw = torch.cat([self.fgs1(fused[:, :1]), self.airs(fused[:, 1:])], dim=1)
        with torch.autocast(device_type=fused.device.type, enabled=False):
            delta, log_scale = raw.to(torch.promote_types(reference_depth.dtype, torch.float32)).unbind(-1)
            if self.linear is not None and readings is not None:
                delta = delta + self.linear(readings)[..., 0]
            delta, log_scale = bounded(delta, self.delta_bound), bounded(log_scale, self.log_scale_bound)
            depth, sigma = reference_depth + reference_err * delta, reference_err * torch.exp(log_scale)
            return HeadOutput(depth, sigma, delta, log_scale)
