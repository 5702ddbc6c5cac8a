"""The whole model: what must change nothing, changes nothing; a fresh head is the anchor."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.configs import load_config
from spectramind_kit.models import build_model, example_batch
from spectramind_kit.models.batch import SERIES

VARIANTS = {
    "default": [],
    "gat, both": ["model.airs_encoder.graph_layer=gat", "model.fusion.direction=both"],
    "mamba1, late": ["model/fgs1_encoder=mamba1", "model/fusion=late"],
    "conv, concat": ["model/fgs1_encoder=conv", "model/fusion=concat"],
    "gnn, airs_only": ["model/airs_encoder=gnn", "model/fusion=airs_only"],
    "reverse": ["model.fusion.direction=time_to_wavelength"],
    "no readings": ["model.size.readings=0"],
    # the experts know one grid of 282 bins (tests/models/test_direct_head.py)
    "direct": ["model/decoder=direct", "model.size.experts=0"],
    "direct, conv, late": ["model/decoder=direct", "model.size.experts=0"]
    + ["model/fgs1_encoder=conv", "model/fusion=late"],
}


def config_of(*overrides: str):
    return load_config(overrides=["model/size=small", "model/decoder=anchored", *overrides], use_hydra=False)


def trained_like(*overrides: str):
    """A model whose last layers are not zero, in float64 and without dropout: differences are not
    rounding."""
    torch.manual_seed(0)
    model = build_model(config_of(*overrides).model).eval().double()
    with torch.no_grad():
        for layers in (model.decoder.fgs1, model.decoder.airs):
            layers.mean.weight.normal_(std=0.3)
            layers.sigma.weight.normal_(std=0.3)
        if model.decoder.linear is not None:
            model.decoder.linear.weight.normal_(std=0.3)
    return model


def double(batch):
    return {k: v.double() if v.is_floating_point() else v for k, v in batch.items()}


@pytest.fixture
def batch():
    return double(example_batch(4, time_steps=61, n_airs=40))


def same(found, wanted, tolerance=1e-10):
    for name in ("delta", "log_scale", "depth_mean", "depth_sigma"):
        assert torch.allclose(getattr(found, name), getattr(wanted, name), rtol=tolerance, atol=tolerance), (
            name
        )


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_a_fresh_head_is_the_anchor(dtype):
    """Guards against a start worse than the physics: bit for bit the anchor, in training mode too."""
    model = build_model(config_of().model)
    batch = example_batch(3, time_steps=61)
    batch |= {k: batch[k].to(dtype) for k in ("reference_depth", "reference_err")}
    output = model(batch)
    assert output.depth_mean.dtype == dtype
    assert torch.equal(output.depth_mean, batch["reference_depth"]) and torch.equal(
        output.depth_sigma, batch["reference_err"]
    )


def test_shapes(batch):
    """Guards against outputs, embeddings or attention of another shape than the docstrings say."""
    model = trained_like()
    output = model(batch, attention=True)
    assert output.depth_mean.shape == output.depth_sigma.shape == (4, 41) and (output.depth_sigma > 0).all()
    assert output.fused.shape == (
        4,
        41,
        32,
    ) and output.fgs1_embedding.shape == output.airs_embedding.shape == (4, 32)
    tokens = model.encode(batch).fgs1.shape[1]
    assert output.attention.shape == (4, model.fusion.readout.readings, 41, tokens)
    assert model(batch).attention is None
    same(output, model(batch))
    softmax = trained_like("model.size.readings=0")(batch, attention=True).attention
    assert softmax.shape[2:] == (41, tokens + 1)
    assert torch.allclose(softmax.sum(-1), torch.ones((), dtype=softmax.dtype))


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_planets_do_not_see_each_other(overrides, batch):
    """Guards against leaks along the batch: permuted rows give permuted answers, one row alone the same."""
    model, order = trained_like(*overrides), torch.tensor([2, 0, 3, 1])
    wanted = model(batch)
    permuted = model({k: v if k == "wavelength_um" else v[order] for k, v in batch.items()})
    assert torch.allclose(permuted.depth_mean, wanted.depth_mean[order], atol=1e-12)
    alone = model({k: v if k == "wavelength_um" else v[1:2] for k, v in batch.items()})
    assert torch.allclose(alone.delta, wanted.delta[1:2], atol=1e-10)


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_padded_steps_change_nothing(overrides, batch):
    """Guards against masked steps that leak: garbage and NaN behind the end of a visit."""
    model, wanted = trained_like(*overrides), None
    wanted = model(batch)
    padded = dict(batch)
    for name in SERIES:
        value = batch[name]
        extra = value.new_ones(4, 17, *value.shape[2:])
        padded[name] = torch.cat(
            [value, torch.zeros_like(extra) if name == "mask" else extra * float("nan")], dim=1
        )
    same(model(padded), wanted)
    inside = dict(batch)
    for name in set(SERIES) - {"mask"}:
        inside[name] = batch[name].clone()
        inside[name][:, 58:] = 1e30  # example_batch masks the last three steps
    same(model(inside), wanted)


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_permuted_wavelengths_give_permuted_spectra(overrides, batch):
    """Guards against a graph or an encoding that follows the order in memory instead of the wavelength."""
    model = trained_like(*overrides)
    wanted = model(batch)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    with_fgs1 = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
    permuted = {
        **batch,
        "airs": batch["airs"][..., order],
        "wavelength_um": batch["wavelength_um"][with_fgs1],
        **{k: batch[k][:, with_fgs1] for k in ("bins", "reference_depth", "reference_err", "depth")},
    }
    found = model(permuted)
    for name in ("depth_mean", "log_scale"):
        assert torch.allclose(getattr(found, name), getattr(wanted, name)[:, with_fgs1], atol=1e-10)


def test_the_stars_brightness_does_not_matter(batch):
    """Guards against reading the flux itself: a brighter star with the same signal-to-noise gives the same
    answer."""
    model = trained_like()
    flux, model_flux, error = (
        torch.rand(4, 61, 40).double() + 5,
        torch.full((4, 61, 40), 5.5).double(),
        torch.tensor(0.2).double(),
    )
    answers = [model({**batch, "airs": (k * flux - k * model_flux) / (k * error)}) for k in (1.0, 1e4)]
    same(*answers)


def test_embeddings_can_be_exchanged(batch):
    """Guards against an exchange of embeddings (the measure of what an encoder is worth) that does
    nothing."""
    model, order = trained_like(), torch.tensor([1, 2, 3, 0])
    encoded, wanted = model.encode(batch), model(batch)
    same(model.decode(encoded, batch), wanted)
    assert not torch.allclose(
        model.decode(
            replace(encoded, fgs1=encoded.fgs1[order], fgs1_mask=encoded.fgs1_mask[order]), batch
        ).delta,
        wanted.delta,
        atol=1e-6,
    )
    assert not torch.allclose(
        model.decode(replace(encoded, airs=encoded.airs[order]), batch).delta, wanted.delta, atol=1e-3
    )
    without = trained_like("model/fusion=airs_only")
    encoded = without.encode(batch)
    same(
        without.decode(replace(encoded, fgs1=encoded.fgs1[order], fgs1_mask=encoded.fgs1_mask[order]), batch),
        without.decode(encoded, batch),
    )


@pytest.mark.parametrize("decoder", ("anchored", "direct"))
def test_every_light_curve_is_read_and_airs_only_reads_no_fgs1(decoder, batch):
    """Guards against a curve of the batch that no part looks at, and against a comparison of fusions in which
    the one without FGS1 reads its fluxes after all."""
    parts = f"model/decoder={decoder}", "model.size.experts=0"
    model, without = trained_like(*parts), trained_like(*parts, "model/fusion=airs_only")
    for name in ("fgs1", "white", "airs"):
        changed = {**batch, name: -batch[name]}
        assert not torch.allclose(model(changed).delta, model(batch).delta, atol=1e-6), name
    same(without({**batch, "fgs1": -batch["fgs1"]}), without(batch))


@pytest.mark.parametrize("half", (torch.float16, torch.bfloat16))
@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_autocast(half, overrides, batch):
    """Guards against overflow or NaN in half precision anywhere in the model; outputs within 2e-2 of fp32."""
    model = trained_like(*overrides).float()
    batch = {k: v.float() if v.is_floating_point() else v for k, v in batch.items()}
    wanted = model(batch)
    with torch.autocast("cpu", dtype=half):
        found = model(batch)
    (found.delta.square().mean() + found.log_scale.square().mean()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert found.depth_mean.dtype == torch.float32 and found.depth_mean.isfinite().all()
    assert float((found.delta - wanted.delta).detach().norm() / wanted.delta.detach().norm()) < 2e-2


def test_a_few_steps_learn_something():
    """Guards against a model whose gradient does not reach its inputs: it learns a depth error hidden in the
    residuals."""
    torch.manual_seed(0)
    batch = example_batch(8, time_steps=40, n_airs=16)
    hidden = torch.randn(8, 1)
    batch["airs"] = batch["airs"] + hidden[..., None] * batch["transit_shape"][..., None]
    batch["depth"] = batch["reference_depth"] + 2.0 * batch["reference_err"] * hidden
    model = build_model(config_of().model)
    from spectramind_kit.losses import CompositeLoss

    loss, optimiser = CompositeLoss({"gll": 1.0}), torch.optim.AdamW(model.parameters(), 3e-3)
    history = []
    for _ in range(30):
        optimiser.zero_grad()
        value = loss(model(batch), batch).total
        value.backward()
        optimiser.step()
        history.append(float(value.detach()))
    assert history[-1] < history[0] - 1.0
