"""FGS1's encoder of dilated convolutions."""

from __future__ import annotations

import torch

from spectramind_kit.models import Fgs1Conv
from spectramind_kit.models.fgs1_conv import ConvLayer


def test_it_sees_as_far_as_its_dilations_reach(series):
    """Guards against layers that all have the same dilation, or a padding that shifts the tokens."""
    torch.manual_seed(0)
    encoder = Fgs1Conv(width=8, depth=3, kernel=3, patch=1).eval()
    flux, *given = series(1, 60, 1)
    changed = flux[..., 0].clone()
    changed[:, 30] += 1.0
    shape, time, mask = given
    tokens = [encoder(f, shape=shape, time=time, mask=mask)[0] for f in (flux[..., 0], changed)]
    moved = ((tokens[0] - tokens[1]).abs().amax(-1)[0] > 0).nonzero()[:, 0].tolist()
    assert moved == list(range(30 - 7, 30 + 8)), "1 + 2 + 4 tokens to each side"


def test_masked_tokens_enter_as_zero():
    """Guards against padding that reaches its valid neighbours through the kernel."""
    torch.manual_seed(0)
    layer = ConvLayer(width=4, kernel=3, dilation=1, dropout=0.0)
    tokens, mask = torch.randn(1, 10, 4), torch.arange(10)[None] < 6
    garbage = torch.where(mask[..., None], tokens, 1e6)
    assert torch.equal(layer(garbage, mask=mask)[:, :6], layer(tokens, mask=mask)[:, :6])
    assert torch.allclose(layer(tokens, mask=mask)[:, :6], layer(tokens[:, :6], mask=mask[:, :6]), atol=1e-6)
