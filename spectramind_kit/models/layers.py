"""Small pieces that several parts of the model are built of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError

VERY_NEGATIVE = -1e4  # a masked score before a softmax; finite in fp16
FEATURE_LIMIT = 20.0


def widen(t: Tensor) -> Tensor:
    """At least float32; float64 stays."""
    return t.to(torch.promote_types(t.dtype, torch.float32))


def valid_or_zero(values: Tensor, valid: Tensor | None) -> Tensor:
    """values (B, L, D) with zeros where ``valid`` (B, L) is False; as they are without a mask.

    Selects instead of multiplying: a NaN in a masked step times zero would stay a NaN.
    """
    return values if valid is None else torch.where(valid[..., None], values, torch.zeros_like(values))


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """tokens (B, L, D), mask (B, L) -> (B, D); zero where nothing is valid."""
    count = mask.to(tokens.dtype)[..., None].sum(1)
    return valid_or_zero(tokens, mask).sum(1) / count.clamp(min=1.0)


def bounded_features(features: Tensor) -> Tensor:
    """Standardised features within ±20, 0 for NaN: a broken star table must not own the tokens."""
    limits = {"nan": 0.0, "posinf": FEATURE_LIMIT, "neginf": -FEATURE_LIMIT}
    return torch.nan_to_num(features, **limits).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)


def perceptron(width: int, hidden: int, *, dropout: float) -> nn.Sequential:
    """Pointwise, two layers: width -> hidden -> width."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))


def check_heads(width: int, heads: int, *, where: str) -> None:
    if width % heads:
        raise ConfigError("heads must divide the width", where=where, found=f"width {width}, heads {heads}")
