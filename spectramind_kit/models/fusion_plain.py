"""The fusions that cross-attention was chosen over, kept so that the choice can be measured: concatenation,
late, AIRS alone (docs/decisions.md D45, D48)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.models.flux_readout import FixedReadout, FluxSteps, Fused
from spectramind_kit.models.fusion_xattn import QueryTokens
from spectramind_kit.models.layers import masked_mean, perceptron


class _Perceptron(nn.Module):
    """Residual stack of pointwise perceptrons, about as many parameters as a layer of cross-attention."""

    def __init__(self, width: int, *, depth: int, dropout: float):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), *perceptron(width, 4 * width, dropout=dropout))
            for _ in range(depth)
        )

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layers:
            h = h + layer(h)
        return h


class _PlainFusion(nn.Module):
    """What the plain fusions share: arguments, layers and the call. `_fuse` is what they differ in."""

    joins = False  # whether each bin is mixed with FGS1's mean token
    reads_fgs1 = True

    def __init__(
        self,
        *,
        width: int,
        star_features: int,
        bin_features: int,
        depth: int = 1,
        readings: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.queries = QueryTokens(width=width, star_features=star_features, bin_features=bin_features)
        if self.joins:
            self.join = nn.Linear(2 * width, width)
        self.mix = _Perceptron(width, depth=depth, dropout=dropout)
        self._add_norm(width)
        self.readout = FixedReadout(width, readings=readings) if readings else None

    def _add_norm(self, width: int) -> None:
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        airs: Tensor,
        *,
        fgs1: Tensor,
        fgs1_mask: Tensor,
        star: Tensor,
        bins0: Tensor,
        flux: FluxSteps | None = None,
        weights: bool = False,
    ) -> Fused:
        """Same call as `CrossAttentionFusion`; there are no attention weights."""
        fused = self._fuse(airs, masked_mean(fgs1, fgs1_mask), star, bins0)
        readings = None
        if self.readout is not None:
            readings = self.readout(fused, flux if self.reads_fgs1 else flux.without_fgs1())
        return Fused(fused, readings, None)

    def _fuse(self, airs: Tensor, pooled: Tensor, star: Tensor, bins0: Tensor) -> Tensor:
        """airs (B, W, D), pooled FGS1 (B, D), star (B, S), bins0 (B, F) -> (B, 1 + W, D)."""
        raise NotImplementedError


class ConcatFusion(_PlainFusion):
    """Every bin gets the mean FGS1 token beside its own vector; a pointwise perceptron mixes the two."""

    joins = True

    def _fuse(self, airs: Tensor, pooled: Tensor, star: Tensor, bins0: Tensor) -> Tensor:
        bins = self.queries(airs, pooled, star, bins0)
        joined = bins + self.join(torch.cat([bins, pooled[:, None].expand_as(bins)], dim=-1))
        return self.norm(self.mix(joined))


class LateFusion(_PlainFusion):
    """Each side goes to its end alone; FGS1's vector is added to the AIRS bins last, by a learned gate."""

    def _add_norm(self, width: int) -> None:
        self.norm_bins, self.norm_fgs1 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.full((width,), 0.5))

    def _fuse(self, airs: Tensor, pooled: Tensor, star: Tensor, bins0: Tensor) -> Tensor:
        bins = self.norm_bins(self.mix(self.queries(airs, pooled, star, bins0)))
        return torch.cat([bins[:, :1], bins[:, 1:] + self.gate * self.norm_fgs1(pooled)[:, None]], dim=1)


class AirsOnlyFusion(_PlainFusion):
    """FGS1's light curve is not used: its bin is read from the mean AIRS vector and its own features."""

    reads_fgs1 = False

    def _fuse(self, airs: Tensor, pooled: Tensor, star: Tensor, bins0: Tensor) -> Tensor:
        return self.norm(self.mix(self.queries(airs, airs.mean(1), star, bins0)))
