"""Cross-attention: against torch's own, and that FGS1 is read."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from spectramind_kit.models import CrossAttentionFusion
from spectramind_kit.models.flux_readout import FluxSteps
from spectramind_kit.models.fusion_xattn import DIRECTIONS, CrossAttention


def test_attention_equals_torch():
    """CrossAttention's explicit softmax (for plots) and its fast path against torch's own attention."""
    torch.manual_seed(0)
    layer, queries, keys = (
        CrossAttention(16, heads=4, dropout=0.0),
        torch.randn(2, 7, 16),
        torch.randn(2, 9, 16),
    )
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 4:] = False
    fast, none = layer(queries, keys, mask, weights=False)
    slow, alpha = layer(queries, keys, mask, weights=True)
    assert none is None and alpha.shape == (2, 4, 7, 10)
    assert torch.allclose(fast, slow, atol=1e-6) and torch.allclose(alpha.sum(-1), torch.ones(()), atol=1e-6)
    assert (alpha[1, :, :, 4:9] == 0).all() and (alpha[1, :, :, 9] > 0).all()
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([layer.query.weight, layer.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([layer.query.bias, layer.key_value.bias]))
        theirs.out_proj.weight.copy_(layer.out.weight)
        theirs.out_proj.bias.copy_(layer.out.bias)
    memory = torch.cat([layer.norm_key(keys), layer.rest.expand(2, -1, -1)], 1)
    wanted, _ = theirs(
        layer.norm_query(queries), memory, memory, key_padding_mask=~F.pad(mask, (0, 1), value=True)
    )
    assert torch.allclose(fast, wanted, atol=1e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_fgs1_reaches_the_bins_and_an_empty_fgs1_is_survived(direction):
    """Guards against a fusion that ignores FGS1, and against NaN when every FGS1 step is masked."""
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(width=16, star_features=3, bin_features=2, direction=direction).eval()
    airs, fgs1, mask = torch.randn(2, 6, 16), torch.randn(2, 9, 16), torch.ones(2, 9, dtype=torch.bool)
    inputs = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2)}
    fused = fusion(airs, fgs1=fgs1, fgs1_mask=mask, **inputs).tokens
    other = fusion(airs, fgs1=-fgs1, fgs1_mask=mask, **inputs).tokens
    assert ((fused - other).abs().amax(-1) > 1e-4).all()  # FGS1's bin and every AIRS bin
    masked = fusion(airs, fgs1=fgs1, fgs1_mask=~mask, **inputs).tokens
    assert masked.isfinite().all()
    turned = fusion(airs, fgs1=-fgs1, fgs1_mask=~mask, **inputs).tokens
    assert torch.allclose(masked[:, 1:], turned[:, 1:], atol=1e-5) or direction != "wavelength_to_time"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_attention_is_that_of_the_readings_where_there_are_some(direction):
    """Guards against a figure of weights that are not those which the fluxes were read with."""
    torch.manual_seed(0)
    settings = {"width": 16, "star_features": 3, "bin_features": 2, "direction": direction}
    fusion = CrossAttentionFusion(**settings, readings=4).eval()
    inputs = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2), "fgs1": torch.randn(2, 9, 16)}
    mask, values = torch.ones(2, 9, dtype=torch.bool), torch.randn(2, 9, 7)
    weight = torch.full((2, 9), 1 / 9)
    flux = FluxSteps(values, weight, mask, torch.zeros(2, 9), torch.zeros(2, 9))
    airs = torch.randn(2, 6, 16)
    found = fusion(airs, **inputs, fgs1_mask=mask, flux=flux, weights=True)
    by_hand = torch.einsum("brwl,blw->bwr", found.attention, values / 9)
    torch.testing.assert_close(found.readings, by_hand)
    plain = fusion(airs, **inputs, fgs1_mask=mask, flux=flux)
    torch.testing.assert_close(plain.readings, found.readings)
    assert plain.attention is None
