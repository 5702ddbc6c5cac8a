"""What FGS1's encoders share: the light curve as tokens, and the way of the tokens through the layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.series import CONTEXT_CHANNELS, clean, describe_time, patch, patch_mask


class Fgs1Tokens(nn.Module):
    """Patches of FGS1's curve and the white one of AIRS-CH0: per step both, both × transit shape, time."""

    def __init__(self, *, width: int, patch_steps: int):
        super().__init__()
        if patch_steps < 1:
            raise ConfigError("patch must be at least one step", found=str(patch_steps))
        self.patch_steps = patch_steps
        self.embed = nn.Linear(patch_steps * (CONTEXT_CHANNELS + 4), width)

    def forward(
        self, flux: Tensor, white: Tensor | None, *, shape: Tensor, time: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """flux, white, shape, time, mask (B, T) -> tokens (B, L, D), token_mask (B, L)."""
        curves = torch.stack([flux, torch.zeros_like(flux) if white is None else white], dim=-1)
        curves, context = clean(curves, mask[..., None]), describe_time(shape, time, mask)
        steps = torch.cat([curves, curves * context[..., :1], context], dim=-1)
        return self.embed(patch(steps, self.patch_steps)), patch_mask(mask, self.patch_steps)


class Fgs1Stack(nn.Module):
    """Tokens through layers that keep their shape, then a norm. Subclasses set the three, in this order."""

    tokens: Fgs1Tokens
    layers: nn.ModuleList
    norm: nn.LayerNorm

    def forward(
        self, flux: Tensor, *, shape: Tensor, time: Tensor, mask: Tensor, white: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """FGS1's flux, shape, time, mask, the white curve of AIRS (B, T) -> tokens (B, L, D), mask (B, L)."""
        tokens, token_mask = self.tokens(flux, white, shape=shape, time=time, mask=mask)
        for layer in self.layers:
            tokens = layer(tokens, mask=token_mask)
        return self.norm(tokens), token_mask
