"""Cross-attention between wavelength tokens and FGS1's time tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import check_choice
from spectramind_kit.models.flux_readout import AttentiveReadout, FluxSteps, Fused
from spectramind_kit.models.layers import (
    VERY_NEGATIVE,
    bounded_features,
    check_heads,
    masked_mean,
    perceptron,
    widen,
)

DIRECTIONS = ("wavelength_to_time", "time_to_wavelength", "both")


class QueryTokens(nn.Module):
    """Tokens of all 283 bins before fusion: AIRS bins from their encoder, FGS1's bin from FGS1's own tokens.

    The star's features are added to every one of them.
    """

    def __init__(self, *, width: int, star_features: int, bin_features: int):
        super().__init__()
        self.star = nn.Sequential(nn.Linear(star_features, width), nn.GELU(), nn.Linear(width, width))
        self.bin0 = nn.Linear(bin_features, width)
        self.pooled = nn.Linear(width, width)

    def forward(self, airs: Tensor, pooled: Tensor, star: Tensor, bins0: Tensor) -> Tensor:
        """airs (B, W, D), pooled FGS1 (B, D), star (B, S), bins0 (B, F) -> (B, 1 + W, D)."""
        star, bins0 = bounded_features(star), bounded_features(bins0)
        first = self.bin0(bins0) + self.pooled(pooled)
        return torch.cat([first[:, None], airs.to(first.dtype)], dim=1) + self.star(star)[:, None]


class CrossAttention(nn.Module):
    """Multi-head attention of queries over keys, with one learned key more.

    The learned key takes the attention when nothing is worth reading or every key is masked: a softmax over
    an all-masked row would be NaN.
    """

    def __init__(self, width: int, *, heads: int, dropout: float):
        super().__init__()
        check_heads(width, heads, where="fusion")
        self.heads, self.dropout = heads, dropout
        self.norm_query, self.norm_key = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.rest = nn.Parameter(torch.randn(1, 1, width) * 0.02)

    def forward(
        self, queries: Tensor, keys: Tensor, key_mask: Tensor | None, *, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """queries (B, Q, D), keys (B, K, D), key_mask (B, K) -> (B, Q, D).

        With ``weights`` also those, (B, H, Q, K + 1); the last key is the learned one.
        """
        rest = self.rest.to(keys.dtype).expand(keys.shape[0], -1, -1)
        keys = torch.cat([self.norm_key(keys), rest], dim=1)
        q, (k, v) = self.query(self.norm_query(queries)), self.key_value(keys).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        allowed = None if key_mask is None else F.pad(key_mask, (0, 1), value=True)[:, None, None]
        dropout = self.dropout if self.training else 0.0
        if weights:
            scores = (widen(q) @ widen(k).transpose(-1, -2)) * q.shape[-1] ** -0.5
            if allowed is not None:
                scores = scores.masked_fill(~allowed, VERY_NEGATIVE)
            alpha = torch.softmax(scores, dim=-1)
            mixed = F.dropout(alpha, dropout).to(v.dtype) @ v
        else:
            alpha = None
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).flatten(-2)), alpha


class _Exchange(nn.Module):
    """Residual attention and a pointwise perceptron: one side reads the other."""

    def __init__(self, width: int, *, heads: int, dropout: float):
        super().__init__()
        self.attention = CrossAttention(width, heads=heads, dropout=dropout)
        self.norm = nn.LayerNorm(width)
        self.mix = perceptron(width, 2 * width, dropout=dropout)

    def forward(
        self, reader: Tensor, source: Tensor, mask: Tensor | None, *, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        read, alpha = self.attention(reader, source, mask, weights=weights)
        reader = reader + read
        return reader + self.mix(self.norm(reader)), alpha


class CrossAttentionFusion(nn.Module):
    """Wavelength tokens read FGS1's time tokens (docs/decisions.md D45), the reverse, or both.

    ``wavelength_to_time``: every bin asks when in the visit FGS1 has something to say about it.
    ``time_to_wavelength``: FGS1's tokens read the AIRS bins; the bins get the mean of what they found.
    ``both``: in each layer time reads wavelengths, then wavelengths read time.
    """

    def __init__(
        self,
        *,
        width: int,
        star_features: int,
        bin_features: int,
        depth: int = 1,
        heads: int = 4,
        direction: str = "wavelength_to_time",
        readings: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_choice(direction, DIRECTIONS, what="direction", where="fusion")
        self.direction = direction
        self.queries = QueryTokens(width=width, star_features=star_features, bin_features=bin_features)

        def exchanges(wanted: bool) -> nn.ModuleList:
            layers = range(depth if wanted else 0)
            return nn.ModuleList(_Exchange(width, heads=heads, dropout=dropout) for _ in layers)

        self.to_time = exchanges(direction != "time_to_wavelength")
        self.to_wavelength = exchanges(direction != "wavelength_to_time")
        self.told = nn.Linear(width, width) if direction == "time_to_wavelength" else None
        self.norm = nn.LayerNorm(width)
        self.readout = AttentiveReadout(width, readings=readings) if readings else None

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
        """airs (B, W, D), fgs1 (B, L, D), fgs1_mask (B, L), star (B, S), bins0 (B, F) -> `Fused`.

        With ``weights=True`` its attention is that of the last layer, fp32: (B, H, 1 + W, L + 1) where bins
        read time (the last key is the learned one), (B, H, L, 1 + W + 1) for ``time_to_wavelength``; with
        readings the signed weights of these, (B, R, 1 + W, L).
        """
        bins = self.queries(airs, masked_mean(fgs1, fgs1_mask), star, bins0)
        alpha = None
        for k in range(max(len(self.to_time), len(self.to_wavelength))):
            if self.to_wavelength:
                fgs1, alpha = self.to_wavelength[k](fgs1, bins, None, weights=weights)
            if self.to_time:
                bins, alpha = self.to_time[k](bins, fgs1, fgs1_mask, weights=weights)
        if self.told is not None:
            bins = bins + self.told(masked_mean(fgs1, fgs1_mask))[:, None]
        fused, readings = self.norm(bins), None
        if self.readout is not None:
            readings, signed = self.readout(fused, fgs1, flux)
            alpha = signed if weights else None
        return Fused(fused, readings, alpha)
