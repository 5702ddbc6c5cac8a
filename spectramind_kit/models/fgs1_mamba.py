"""FGS1's encoder: a stack of Mamba blocks over the white light curve, one direction or both."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from spectramind_kit.errors import check_choice
from spectramind_kit.models.fgs1_stack import Fgs1Stack, Fgs1Tokens
from spectramind_kit.models.mamba import Mamba, Mamba2

FORMS = ("mamba1", "mamba2")
DIRECTIONS = ("both", "causal")


class MambaLayer(nn.Module):
    """Pre-norm residual layer: one Mamba block forward in time and, if wanted, another one backward."""

    def __init__(self, make_block: Callable[[], nn.Module], *, width: int, both_ways: bool, dropout: float):
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


class Fgs1Mamba(Fgs1Stack):
    """White light curve -> tokens.

    Parameters
    ----------
    width : int            D of the tokens
    depth : int            layers
    form : str             ``mamba2`` (SSD, the fast one) or ``mamba1``
    state : int            N, size of the state per channel
    headdim : int          channels of a Mamba-2 head
    expand : int           channels of a block, in widths
    direction : str        ``both`` or ``causal``
    patch : int            steps of time per token
    scan_backend : str     ``auto``, ``torch`` or ``mamba_ssm``
    chunk_size : int       steps per chunk of the scan; 0 is the block's own default
    """

    def __init__(  # noqa: PLR0913 -- each is a key of configs/model/fgs1_encoder, flat as users set them
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
        check_choice(form, FORMS, what="form", where="fgs1_encoder")
        check_choice(direction, DIRECTIONS, what="direction", where="fgs1_encoder")
        settings = {"expand": expand, "scan_backend": scan_backend}
        if chunk_size:
            settings["chunk_size"] = chunk_size
        if form == "mamba2":
            settings["headdim"] = min(headdim, expand * width)
        block = Mamba2 if form == "mamba2" else Mamba
        self.tokens = Fgs1Tokens(width=width, patch_steps=patch)
        self.layers = nn.ModuleList(
            MambaLayer(
                lambda: block(width, state, **settings),
                width=width,
                both_ways=direction == "both",
                dropout=dropout,
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
