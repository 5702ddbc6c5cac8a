"""Encoders, fusion and head by themselves: what one imports into a notebook of one's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from spectramind_kit.errors import ConfigError
from spectramind_kit.models import AirsGnn, CrossAttentionFusion, Fgs1Mamba, HeteroscedasticHead
from spectramind_kit.models.fusion_xattn import CrossAttention
from spectramind_kit.models.layers import masked_mean
from spectramind_kit.models.series import clean, describe_time, patch, patch_mask
from spectramind_kit.models.temporal import MultiKernelConv, TemporalCnn, TemporalMoments, time_basis


def series(batch: int = 2, steps: int = 60, bins: int = 5, *, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    time = torch.linspace(-2, 2, steps).repeat(batch, 1)
    shape = -((1.1 - time.abs()) / 0.2).clamp(0, 1)
    return (
        torch.randn(batch, steps, bins, generator=rng),
        shape,
        time,
        torch.ones(batch, steps, dtype=torch.bool),
    )


# ---------------------------------------------------------------- series


def test_clean_keeps_nan_out_of_the_gradient():
    """Guards against 0 · NaN: a NaN in a masked or a valid step reaches neither value nor gradient."""
    x = torch.tensor([[1.0, float("nan"), float("inf"), 500.0, float("nan")]], requires_grad=True)
    y = clean(x, torch.tensor([[True, True, True, True, False]]))
    assert y.tolist() == [[1.0, 0.0, 0.0, 20.0, 0.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0]]


def test_patches_and_masks():
    values = torch.arange(14.0).reshape(1, 7, 2)
    assert patch(values, 3).shape == (1, 3, 6) and patch(values, 3)[0, 2].tolist() == [12.0, 13.0, 0, 0, 0, 0]
    assert patch_mask(torch.tensor([[True] * 4 + [False] * 3]), 3).tolist() == [[True, True, False]]
    assert masked_mean(values, torch.zeros(1, 7, dtype=torch.bool)).tolist() == [[0.0, 0.0]]


def test_time_is_described_by_shape_and_slope():
    _, shape, time, mask = series()
    context = describe_time(shape, time, mask)
    assert torch.equal(context[..., 0], shape)
    ingress, egress = (
        context[0, (time[0] > -1.1) & (time[0] < -0.9), 1],
        context[0, (time[0] > 0.9) & (time[0] < 1.1), 1],
    )
    assert (ingress < 0).all() and (egress > 0).all()


# ---------------------------------------------------------------- temporal


def test_moments_find_a_depth_error():
    """A residual of +5 sigma in transit shows as a projection on the transit's shape, in units of its own
    error."""
    _flux, shape, time, mask = series(1, 200, 1)
    basis = time_basis(shape, time, mask)
    assert torch.allclose(basis.square().sum(-1), torch.ones(()))
    noise = TemporalMoments()(torch.randn(1, 200, 400), shape=shape, time=time, mask=mask)
    assert abs(float(noise.std()) - 1.0) < 0.05
    signal = TemporalMoments()(0.4 * shape[..., None], shape=shape, time=time, mask=mask)[0, 0, 1]
    assert float(signal) == pytest.approx(0.4 * float(shape.square().sum().sqrt()), rel=0.05)


def test_multi_kernel_convolution_is_its_branches():
    """Guards against a merged kernel that is off-centre: equal to a convolution per kernel length, side by
    side."""
    torch.manual_seed(0)
    conv, x = MultiKernelConv(8, kernels=(3, 5, 7)), torch.randn(2, 8, 30, 4)
    wanted = torch.cat([F.conv2d(x, w, padding=(w.shape[2] // 2, 0)) for w in conv.weights], dim=1)
    assert torch.allclose(conv(x), wanted + conv.bias[:, None, None], atol=1e-5)
    with pytest.raises(ConfigError, match="odd"):
        MultiKernelConv(8, kernels=(3, 4))


def test_wavelengths_share_weights_and_stay_apart():
    """Guards against a convolution across wavelengths: each bin's features depend on its own light curve
    only."""
    flux, shape, time, mask = series()
    cnn = TemporalCnn(channels=6, blocks=2, time_bin=4)
    features = cnn(flux, shape=shape, time=time, mask=mask)
    swapped = cnn(flux.flip(-1), shape=shape, time=time, mask=mask)
    assert features.shape == (2, 5, 18) and torch.allclose(features.flip(1), swapped, atol=1e-6)


# ---------------------------------------------------------------- encoders


def test_causal_tokens_do_not_look_ahead():
    flux, shape, time, mask = series(bins=1)
    flux = flux[..., 0]
    changed = flux.clone()
    changed[:, 40:] = 3.0
    for direction, expected in (("causal", True), ("both", False)):
        torch.manual_seed(0)
        encoder = Fgs1Mamba(width=16, depth=2, state=8, headdim=8, patch=4, direction=direction)
        tokens = [encoder(f, shape=shape, time=time, mask=mask)[0][:, :10] for f in (flux, changed)]
        assert torch.allclose(*tokens, atol=1e-6) is expected


def test_a_visit_of_one_step_and_an_empty_visit():
    """Guards against a crash or NaN on what a broken planet leaves."""
    encoder = Fgs1Mamba(width=16, state=8, headdim=8, patch=4)
    airs = AirsGnn(width=16, bin_features=3)
    wavelength = torch.linspace(1.95, 3.9, 5)
    for steps, valid in ((1, True), (30, False)):
        flux, shape, time, mask = series(steps=steps)
        mask = mask & valid
        tokens, token_mask = encoder(flux[..., 0], shape=shape, time=time, mask=mask)
        assert tokens.isfinite().all() and token_mask.any() == torch.tensor(valid)
        assert (
            airs(flux, time=time, mask=mask, shape=shape, bins=torch.zeros(2, 5, 3), wavelength_um=wavelength)
            .isfinite()
            .all()
        )


# ---------------------------------------------------------------- fusion


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


@pytest.mark.parametrize("direction", ("wavelength_to_time", "time_to_wavelength", "both"))
def test_fgs1_reaches_the_bins_and_an_empty_fgs1_is_survived(direction):
    """Guards against a fusion that ignores FGS1, and against NaN when every FGS1 step is masked."""
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(width=16, star_features=3, bin_features=2, direction=direction).eval()
    airs, fgs1, mask = torch.randn(2, 6, 16), torch.randn(2, 9, 16), torch.ones(2, 9, dtype=torch.bool)
    inputs = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2)}
    fused = fusion(airs, fgs1=fgs1, fgs1_mask=mask, **inputs)
    other = fusion(airs, fgs1=-fgs1, fgs1_mask=mask, **inputs)
    assert ((fused - other).abs().amax(-1) > 1e-4).all()  # FGS1's bin and every AIRS bin
    masked = fusion(airs, fgs1=fgs1, fgs1_mask=~mask, **inputs)
    assert masked.isfinite().all()
    assert (
        torch.allclose(masked[:, 1:], fusion(airs, fgs1=-fgs1, fgs1_mask=~mask, **inputs)[:, 1:], atol=1e-5)
        or direction != "wavelength_to_time"
    )


# ---------------------------------------------------------------- head


def test_head_bounds_what_it_says():
    """Guards against an error bar that runs away: however large the features, sigma and mean stay within the
    bounds."""
    head = HeteroscedasticHead(width=8, delta_bound=6.0, log_scale_bound=2.0)
    with torch.no_grad():
        for layers in (head.fgs1, head.airs):
            layers[-1].weight.normal_(std=1e3)
    anchor, err = torch.full((4, 9), 0.0147), torch.full((4, 9), 5e-5)
    out = head(torch.randn(4, 9, 8) * 1e3, anchor_depth=anchor, anchor_err=err)
    assert (out.depth_mean - anchor).abs().max() <= 6.0 * 5e-5 * 1.001 and (out.depth_sigma > 0).all()
    assert float(out.depth_sigma.detach().max() / 5e-5) <= 2.718281828**2 * 1.001


def test_raw_head_starts_at_the_naive_prediction():
    head = HeteroscedasticHead(width=8, form="raw", depth_location=0.015, depth_spread=0.01)
    out = head(torch.randn(4, 9, 8), anchor_depth=torch.rand(4, 9), anchor_err=torch.rand(4, 9))
    assert torch.equal(out.depth_mean, torch.full((4, 9), 0.015)) and torch.equal(
        out.depth_sigma, torch.full((4, 9), 0.01)
    )


def test_first_step_has_a_gradient():
    """Guards against a zero-initialised head whose gradient is zero too."""
    head = HeteroscedasticHead(width=8)
    out = head(torch.randn(4, 9, 8), anchor_depth=torch.rand(4, 9), anchor_err=torch.ones(4, 9))
    (out.delta.sum() + out.log_scale.sum()).backward()
    assert head.airs[-1].weight.grad.abs().sum() > 0 and head.fgs1[-1].weight.grad.abs().sum() > 0
