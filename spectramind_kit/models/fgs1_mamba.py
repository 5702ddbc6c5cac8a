"""FGS1's encoder: a stack of Mamba blocks over the white light curve, one direction or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError, nearest
from spectramind_kit.models.mamba import Mamba, Mamba2
from spectramind_kit.models.series import CONTEXT_CHANNELS, clean, describe_time, patch, patch_mask

FORMS = ("mamba1", "mamba2")
DIRECTIONS = ("both", "causal")


class Fgs1Tokens(nn.Module):
    """Patches of the light curve as tokens, shared by FGS1's encoders.

    Per step: flux residual in sigma, residual × transit shape, and `describe_time`. A light curve of two
    visits, (B, V, T), is read visit by visit (no state passes from one to the next) and its tokens are laid
    end to end with an embedding of the visit's number.
    """

    max_visits = 4

    def __init__(self, *, width: int, patch_steps: int):
        super().__init__()
        if patch_steps < 1:
            raise ConfigError("patch must be at least one step", found=str(patch_steps))
        self.patch_steps = patch_steps
        self.embed = nn.Linear(patch_steps * (CONTEXT_CHANNELS + 2), width)
        self.visit = nn.Embedding(self.max_visits, width)
        nn.init.zeros_(self.visit.weight)

    def forward(self, flux: Tensor, shape: Tensor, time: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """flux, shape, time, mask (B, T) -> tokens (B, L, D), token_mask (B, L)."""
        residual = clean(flux, mask)
        context = describe_time(shape, time, mask)
        steps = torch.cat([residual[..., None], (residual * context[..., 0])[..., None], context], dim=-1)
        return self.embed(patch(steps, self.patch_steps)), patch_mask(mask, self.patch_steps)


def over_visits(encode, tokens: Fgs1Tokens, flux: Tensor, shape: Tensor, time: Tensor, mask: Tensor):
    """Apply ``encode(flux, shape, time, mask)`` to (B, T), or visit by visit to (B, V, T) as a bigger
    batch."""
    if flux.ndim == 2:
        return encode(flux, shape, time, mask)
    batch, visits = flux.shape[:2]
    if visits > tokens.max_visits:
        raise ConfigError(
            "too many visits in one row", expected=f"at most {tokens.max_visits}", found=str(visits)
        )
    out, out_mask = encode(*(t.flatten(0, 1) for t in (flux, shape, time, mask)))
    out = out.unflatten(0, (batch, visits)) + tokens.visit.weight[:visits, None].to(out.dtype)
    return out.flatten(1, 2), out_mask.unflatten(0, (batch, visits)).flatten(1, 2)


class MambaLayer(nn.Module):
    """Pre-norm residual layer: one Mamba block forward in time and, if wanted, another one backward."""

    def __init__(self, make_block, *, width: int, both_ways: bool, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ahead = make_block()
        self.back = make_block() if both_ways else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, *, mask: Tensor) -> Tensor:
        normed = self.norm(tokens)
        mixed = self.ahead(normed, mask=mask)
        if self.back is not None:
            mixed = mixed + self.back(normed.flip(1), mask=mask.flip(1)).flip(1)
        return tokens + self.dropout(mixed)


class Fgs1Stack(nn.Module):
    """Tokens through layers that keep their shape, then a norm: what FGS1's encoders share. They set the
    three parts."""

    tokens: Fgs1Tokens
    layers: nn.ModuleList
    norm: nn.LayerNorm

    def forward(self, flux: Tensor, *, shape: Tensor, time: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """flux, shape, time, mask (B, T) or (B, V, T) -> tokens (B, L, D), token_mask (B, L)."""
        return over_visits(self._encode, self.tokens, flux, shape, time, mask)

    def _encode(self, flux: Tensor, shape: Tensor, time: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        tokens, token_mask = self.tokens(flux, shape, time, mask)
        for layer in self.layers:
            tokens = layer(tokens, mask=token_mask)
        return self.norm(tokens), token_mask


class Fgs1Mamba(Fgs1Stack):
    """White light curve -> tokens.

    Parameters
    ----------
    width : int            D of the tokens
    depth : int            layers
    form : str             ``mamba2`` (SSD, the fast one) or ``mamba1``
    state : int            N, size of the state per channel
    headdim : int          channels of a Mamba-2 head
    direction : str        ``both`` or ``causal``
    patch : int            steps of time per token
    scan_backend : str     ``auto``, ``torch`` or ``mamba_ssm``
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int = 2,
        form: str = "mamba2",
        state: int = 16,
        headdim: int = 32,
        expand: int = 2,
        direction: str = "both",
        patch: int = 2,
        dropout: float = 0.0,
        scan_backend: str = "auto",
        chunk_size: int = 0,
    ):
        super().__init__()
        for name, value, choices in (("form", form, FORMS), ("direction", direction, DIRECTIONS)):
            if value not in choices:
                raise ConfigError(
                    f"unknown {name}", where="fgs1_encoder", found=value, fix=nearest(value, choices)
                )
        self.width, self.form = width, form
        chunk = {"chunk_size": chunk_size} if chunk_size else {}

        def make_block() -> nn.Module:
            if form == "mamba2":
                return Mamba2(
                    width,
                    state,
                    headdim=min(headdim, expand * width),
                    expand=expand,
                    scan_backend=scan_backend,
                    **chunk,
                )
            return Mamba(width, state, expand=expand, scan_backend=scan_backend, **chunk)

        self.tokens = Fgs1Tokens(width=width, patch_steps=patch)
        self.layers = nn.ModuleList(
            MambaLayer(make_block, width=width, both_ways=direction == "both", dropout=dropout)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
