"""The fusions that cross-attention was chosen over, kept so that the choice can be measured: concatenation,
late, AIRS alone (docs/decisions.md D45, D48)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.models.fusion_xattn import QueryTokens
from spectramind_kit.models.series import masked_mean


class _Perceptron(nn.Module):
    """Residual stack of pointwise perceptrons, about as many parameters as a layer of cross-attention."""

    def __init__(self, width: int, *, depth: int, dropout: float):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 4 * width),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(4 * width, width),
            )
            for _ in range(depth)
        )

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layers:
            h = h + layer(h)
        return h


class ConcatFusion(nn.Module):
    """Every bin gets the mean FGS1 token beside its own vector; a pointwise perceptron mixes the two."""

    def __init__(
        self, *, width: int, star_features: int, bin_features: int, depth: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        self.queries = QueryTokens(width=width, star_features=star_features, bin_features=bin_features)
        self.join = nn.Linear(2 * width, width)
        self.mix = _Perceptron(width, depth=depth, dropout=dropout)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        airs: Tensor,
        *,
        fgs1: Tensor,
        fgs1_mask: Tensor,
        star: Tensor,
        bins0: Tensor,
        weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor | None]:
        """Same call as `CrossAttentionFusion`; there are no attention weights."""
        pooled = masked_mean(fgs1, fgs1_mask)
        bins = self.queries(airs, pooled, star, bins0)
        joined = bins + self.join(torch.cat([bins, pooled[:, None].expand_as(bins)], dim=-1))
        fused = self.norm(self.mix(joined))
        return (fused, None) if weights else fused


class LateFusion(nn.Module):
    """Each side goes to its end alone; FGS1's vector is added to the AIRS bins last, scaled by a learned
    gate."""

    def __init__(
        self, *, width: int, star_features: int, bin_features: int, depth: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        self.queries = QueryTokens(width=width, star_features=star_features, bin_features=bin_features)
        self.mix = _Perceptron(width, depth=depth, dropout=dropout)
        self.norm_bins, self.norm_fgs1 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.full((width,), 0.5))

    def forward(
        self,
        airs: Tensor,
        *,
        fgs1: Tensor,
        fgs1_mask: Tensor,
        star: Tensor,
        bins0: Tensor,
        weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor | None]:
        """Same call as `CrossAttentionFusion`; there are no attention weights."""
        pooled = masked_mean(fgs1, fgs1_mask)
        bins = self.norm_bins(self.mix(self.queries(airs, pooled, star, bins0)))
        fused = torch.cat([bins[:, :1], bins[:, 1:] + self.gate * self.norm_fgs1(pooled)[:, None]], dim=1)
        return (fused, None) if weights else fused


class AirsOnlyFusion(nn.Module):
    """FGS1's light curve is not used; its bin is read from the mean AIRS vector and the anchor's features of
    the bin."""

    def __init__(
        self, *, width: int, star_features: int, bin_features: int, depth: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        self.queries = QueryTokens(width=width, star_features=star_features, bin_features=bin_features)
        self.mix = _Perceptron(width, depth=depth, dropout=dropout)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        airs: Tensor,
        *,
        fgs1: Tensor,
        fgs1_mask: Tensor,
        star: Tensor,
        bins0: Tensor,
        weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor | None]:
        """Same call as `CrossAttentionFusion`; ``fgs1`` is ignored."""
        fused = self.norm(self.mix(self.queries(airs, airs.mean(1), star, bins0)))
        return (fused, None) if weights else fused
