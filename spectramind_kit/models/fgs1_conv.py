"""FGS1's encoder without a state space: dilated convolutions, to measure Mamba against."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.models.fgs1_stack import Fgs1Stack, Fgs1Tokens
from spectramind_kit.models.layers import valid_or_zero


class ConvLayer(nn.Module):
    """Pre-norm residual layer: gated dilated convolution over tokens; masked tokens enter as zero."""

    def __init__(self, *, width: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, 2 * width, kernel, dilation=dilation, padding=dilation * (kernel // 2))
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, *, mask: Tensor) -> Tensor:
        normed = valid_or_zero(self.norm(tokens), mask)
        value, gate = self.conv(normed.transpose(1, 2)).transpose(1, 2).chunk(2, dim=-1)
        return tokens + self.dropout(self.mix(value * torch.sigmoid(gate)))


class Fgs1Conv(Fgs1Stack):
    """White light curve -> tokens, by ``depth`` layers whose dilation doubles.

    Same call as `Fgs1Mamba`; ``kernel`` must be odd.
    """

    def __init__(self, *, width: int, depth: int = 3, kernel: int = 5, patch: int = 2, dropout: float = 0.0):
        super().__init__()
        self.tokens = Fgs1Tokens(width=width, patch_steps=patch)
        self.layers = nn.ModuleList(
            ConvLayer(width=width, kernel=kernel, dilation=2**k, dropout=dropout) for k in range(depth)
        )
        self.norm = nn.LayerNorm(width)
