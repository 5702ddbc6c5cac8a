"""Depths straight from light curves: the readings of every bin, mixed over wavelength.

depth = reference + reference_err · δ, σ = reference_err · exp(s), with δ linear in the readings but for a
small correction. Mixing over wavelength is where a spectrum is told from noise: messages along the wavelength
graph, and a mixture of linear experts, low-rank maps from all readings to all bins of which a gate takes a
weighted mean (soft clusters with a linear regression each: 3rd place of 2025).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.errors import ConfigError
from spectramind_kit.models.airs_gnn import GraphBlock
from spectramind_kit.models.decoder_head import HeadOutput, LastLayers, bounded
from spectramind_kit.models.layers import widen
from spectramind_kit.models.wavelength_graph import KeptGraph

READING_LIMIT = 20.0  # of what layers that bend their input see of a reading


class LinearExperts(nn.Module):
    """``experts`` linear maps of rank ``rank`` from the readings of all bins to a number per bin."""

    def __init__(self, *, readings: int, experts: int, rank: int, context: int):
        super().__init__()
        self.gate = nn.Linear(context, experts)
        self.down = nn.Parameter(torch.randn(experts, readings, N_BINS, rank) * 0.02 * readings**-0.5)
        self.up = nn.Parameter(torch.randn(experts, rank, N_BINS) * 0.1)

    def forward(self, readings: Tensor, context: Tensor) -> Tensor:
        """readings (B, 283, R), context (B, C) -> (B, 283)."""
        share = torch.softmax(self.gate(context), dim=-1)
        inner = torch.einsum("bwr,erwk->bek", readings, self.down)
        return torch.einsum("bek,ekw->bw", inner * share[..., None], self.up)


class DirectHead(nn.Module):
    """Readings and fused tokens -> a spectrum with its errors; the visits of a planet give one together.

    Parameters
    ----------
    readings : int            R of the fusion
    graph_depth : int         message-passing blocks over the AIRS bins, which the readings join
    experts, rank : int       of the mixture of linear experts; 0 experts: none
    log_scale_bound : float   largest |log sigma / reference_err|
    combine : bool
        Whether what is submitted is a stack of the anchor and this prediction (``decoder=both``) or this
        prediction alone. The network is the same.
    """

    def __init__(
        self,
        *,
        width: int,
        readings: int,
        graph_depth: int = 1,
        experts: int = 4,
        rank: int = 8,
        log_scale_bound: float = 5.0,
        combine: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        if readings < 1:
            raise ConfigError("a direct prediction needs readings", where="decoder.readings", found="0")
        self.log_scale_bound, self.combine = log_scale_bound, combine
        self.linear, self.embed = nn.Linear(readings, 1), nn.Linear(readings, width)
        self.blocks = nn.ModuleList(
            GraphBlock(width, layer="sage", heads=1, backend="auto", dropout=dropout)
            for _ in range(graph_depth)
        )
        # of the planet: the mean of the visits' tokens, of FGS1's bin and over all, and how many they are
        context = 2 * width + 1
        self.experts = (
            LinearExperts(readings=readings, experts=experts, rank=rank, context=context) if experts else None
        )
        self.level = nn.Linear(context, 2)
        self.norm = nn.LayerNorm(width)
        self.fgs1, self.airs = (LastLayers(width, 2 * width, dropout=dropout) for _ in range(2))
        self.graph = KeptGraph()

    def forward(
        self,
        fused: Tensor,
        *,
        readings: Tensor,
        visit_of: Tensor,
        wavelength_um: Tensor,
        reference_depth: Tensor,
        reference_err: Tensor,
    ) -> HeadOutput:
        """fused (B, 283, D), readings (B, 283, R), visit_of (B,), reference (B, 283) -> `HeadOutput`."""
        h = fused + self.embed(readings.clamp(-READING_LIMIT, READING_LIMIT).to(fused.dtype))
        airs, graph = h[:, 1:], self.graph(wavelength_um[1:]) if self.blocks else None
        for block in self.blocks:
            airs = block(airs, graph)
        group, count = _groups(visit_of)
        own = torch.cat([h[:, 0], airs.mean(1)], dim=-1)
        context = torch.cat([_group_mean(own, group, count), count.log()[group][:, None]], dim=-1)
        last = torch.cat([self.fgs1(self.norm(h[:, :1])), self.airs(self.norm(airs))], dim=1)
        level = self.level(context)
        with torch.autocast(device_type=fused.device.type, enabled=False):
            wide = torch.promote_types(reference_depth.dtype, torch.float32)
            readings = widen(readings)
            delta = F.linear(readings, widen(self.linear.weight), widen(self.linear.bias))[..., 0]
            if self.experts is not None:
                delta = delta + self.experts(readings, widen(context))
            delta = (delta + widen(last[..., 0]) + widen(level[:, :1])).to(wide)
            log_scale = (widen(last[..., 1]) + widen(level[:, 1:])).to(wide)
            log_scale = bounded(log_scale, self.log_scale_bound)
            depth = _group_mean(reference_depth + reference_err * delta, group, count)
            log_sigma = _group_mean(reference_err.to(wide).log() + log_scale, group, count)
            return HeadOutput(depth, log_sigma.exp(), delta, log_scale)


def _groups(visit_of: Tensor) -> tuple[Tensor, Tensor]:
    """Group number (B,) from 0 and how many rows each group has (G,)."""
    _, group, count = torch.unique(visit_of, return_inverse=True, return_counts=True)
    return group, count.float()


def _group_mean(values: Tensor, group: Tensor, count: Tensor) -> Tensor:
    """Rows (B, C) -> the mean of each row's group, (B, C)."""
    if len(count) == len(group):
        return values
    sums = values.new_zeros(len(count), values.shape[1]).index_add(0, group, values)
    return (sums / count.to(values.dtype)[:, None])[group]
