"""Every combination of the config groups builds, steps and round-trips; wrong configs are told apart."""

from __future__ import annotations

import io
import itertools

import pytest
import torch
from torch import nn

from spectramind_kit.configs import available_choices, load_config
from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.losses import CompositeLoss
from spectramind_kit.models import build_model, example_batch

GROUPS = ("model/fgs1_encoder", "model/airs_encoder", "model/fusion", "model/decoder")
# decoder=both is the network of decoder=direct (see training/test_pretrained.py)
COMBINATIONS = [
    choice
    for choice in itertools.product(*(available_choices(group) for group in GROUPS))
    if choice[-1] != "both"
]


def small_batch(**settings):
    return example_batch(2, **{"time_steps": 29, "n_airs": 40, **settings})


def batch_for(decoder: str):
    """The direct head's experts know all 282 bins."""
    return small_batch() if decoder == "anchored" else small_batch(n_airs=282)


def config_of(*overrides: str):
    return load_config(overrides=["model/size=small", "model/decoder=anchored", *overrides], use_hydra=False)


def step(model: nn.Module, batch) -> float:
    """One optimiser step; returns the loss after it."""
    loss = CompositeLoss({"gll": 1.0, "smoothness": 0.1, "nonnegativity": 1.0})
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    loss(model(batch), batch).total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    optimiser.step()
    return float(loss(model(batch), batch).total.detach())


@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_every_combination_builds_steps_and_round_trips(combination):
    """Guards against parts that fit only their default neighbours, and against state that a checkpoint
    loses."""
    chosen = (f"{group}={choice}" for group, choice in zip(GROUPS, combination))
    config = config_of(*chosen, "model.size.experts=0")  # experts know all 282 bins
    torch.manual_seed(0)
    model, batch = build_model(config.model).eval(), small_batch()
    untouched = model(batch).delta.detach()
    before = step(model, batch)
    assert before == before and abs(before) < 1e6
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    again = build_model(config.model).eval()
    again.load_state_dict(torch.load(file, weights_only=True), strict=True)
    with torch.no_grad():
        assert torch.equal(again(batch).depth_mean, model(batch).depth_mean)
        assert not torch.equal(model(batch).delta, untouched), "the step did something"


@pytest.mark.parametrize("decoder", available_choices("model/decoder"))
@pytest.mark.parametrize("size", available_choices("model/size"))
def test_sizes(size, decoder):
    """Guards against a size whose heads do not divide its width, or that lacks a number for a head."""
    overrides = [f"model/size={size}", f"model/decoder={decoder}"]
    model, batch = build_model(load_config(overrides=overrides, use_hydra=False).model), batch_for(decoder)
    assert model(batch).depth_mean.shape == batch["reference_depth"].shape


@pytest.mark.parametrize(
    "override",
    (
        "model.fgs1_encoder.direction=causal",
        "model.fgs1_encoder.patch=1",
        "model.fgs1_encoder.chunk_size=8",
        "model.airs_encoder.graph_layer=gat",
        "model.airs_encoder.graph_backend=index_add",
        "model.airs_encoder.kernels=[5]",
        "model.airs_encoder.time_bin=7",
        "model.fusion.direction=both",
        "model.fusion.direction=time_to_wavelength",
        "model.fusion.depth=3",
        "model.decoder.hidden=8",
        "model.size.readings=0",
        "model.size.readings=3",
    ),
)
def test_options_reach_the_model(override, decoder="anchored"):
    """Guards against a key in a YAML file that nothing reads, or an option that does not run."""
    torch.manual_seed(0)
    plain = build_model(config_of(f"model/decoder={decoder}").model)
    torch.manual_seed(0)
    model = build_model(config_of(f"model/decoder={decoder}", override).model).eval()
    assert repr(plain) != repr(model) or str(vars_of(plain)) != str(vars_of(model))
    step(model, batch_for(decoder))


@pytest.mark.parametrize(
    "override",
    (
        "model.size.readings=3",
        "model.decoder.graph_depth=0",
        "model.size.experts=0",
        "model.decoder.rank=2",
        "model.decoder.log_scale_bound=1.0",
        "model.decoder.combine=true",
    ),
)
def test_options_reach_the_direct_model(override):
    """Guards the same of the other head."""
    test_options_reach_the_model(override, "direct")


def vars_of(model: nn.Module) -> list:
    return [
        {k: v for k, v in vars(m).items() if isinstance(v, (str, int, float, tuple))} for m in model.modules()
    ] + [(name, tuple(value.shape)) for name, value in model.named_parameters()]


def test_feature_counts_may_be_given():
    """Guards against a model that fits the example batch only."""
    batch = small_batch(bin_features=4, star_features=17)
    assert build_model(config_of().model, bin_features=4, star_features=17)(batch).depth_mean.shape == (2, 41)


def test_plain_dicts_are_configs_too():
    """Guards against a need for OmegaConf where a bundle holds plain JSON."""
    model = build_model(
        {
            "fgs1_encoder": {"_target_": "spectramind_kit.models.fgs1_conv.Fgs1Conv", "width": 16},
            "airs_encoder": {
                "_target_": "spectramind_kit.models.airs_gnn.AirsGnn",
                "width": 16,
                "graph_depth": 0,
            },
            "fusion": {"_target_": "spectramind_kit.models.fusion_plain.ConcatFusion", "width": 16},
            "decoder": {"_target_": "spectramind_kit.models.decoder_head.HeteroscedasticHead", "width": 16},
        }
    )
    step(model.eval(), small_batch())


# ---------------------------------------------------------------- the user's own encoder


class MyEncoder(nn.Module):
    """What a user writes in a notebook: one token per step, straight from the flux."""

    def __init__(self, *, width: int, gain: float = 1.0):
        super().__init__()
        self.gain, self.embed = gain, nn.Linear(1, width)

    def forward(self, flux, *, shape, time, mask):
        return self.embed(self.gain * torch.where(mask, flux, 0.0)[..., None]), mask


class WrongShape(MyEncoder):
    def forward(self, flux, *, shape, time, mask):
        return super().forward(flux, shape=shape, time=time, mask=mask)[0].mean(1), mask


class NoMask(MyEncoder):
    def forward(self, flux, *, shape, time, mask):
        return super().forward(flux, shape=shape, time=time, mask=mask)[0]


@pytest.fixture
def notebook(monkeypatch):
    """A module as a notebook's `__main__` is: not in the kit, importable by name."""
    import sys
    import types

    module = types.ModuleType("my_notebook")
    module.MyEncoder, module.WrongShape, module.NoMask = MyEncoder, WrongShape, NoMask
    monkeypatch.setitem(sys.modules, "my_notebook", module)


@pytest.mark.parametrize(
    "overrides",
    (
        ["model.fgs1_encoder={_target_: my_notebook.MyEncoder, width: 32, gain: 2.0}"],
        ["model.fgs1_encoder={_target_: my_notebook.MyEncoder}"],  # width is given by the size
        # the keys of the kit's own encoder are left over
        ["model.fgs1_encoder._target_=my_notebook.MyEncoder"],
    ),
    ids=("whole", "width from size", "target only"),
)
def test_an_encoder_of_ones_own(notebook, overrides):
    """Guards against having to touch the kit in order to try an idea."""
    model = build_model(config_of(*overrides).model).eval()
    assert type(model.fgs1_encoder) is MyEncoder
    step(model, small_batch())


@pytest.mark.parametrize("name", ["WrongShape", "NoMask"])
def test_an_encoder_that_breaks_the_contract_is_told_so(notebook, name):
    """Guards against a shape error ten layers further on."""
    model = build_model(config_of(f"model.fgs1_encoder={{_target_: my_notebook.{name}}}").model)
    with pytest.raises(DataError, match="model.fgs1_encoder"):
        model(small_batch())


# ---------------------------------------------------------------- wrong configs


@pytest.mark.parametrize(
    "overrides, named",
    (
        (["model.fgs1_encoder={_target_: spectramind_kit.models.fgs1_mamba.Fgs1Mamba, dept: 2}"], "depth"),
        (
            ["model.fgs1_encoder={_target_: spectramind_kit.models.fgs1_mamba.Fgs1Mamva, width: 32}"],
            "Fgs1Mamba",
        ),
        (["model.fgs1_encoder={_target_: my_notebook.MyEncoder, gian: 2.0}"], "gain"),
        (["model.airs_encoder.graph_layer=gatt"], "gat"),
        (["model.fusion.direction=wavelength_to_tim"], "wavelength_to_time"),
        (
            ["model.decoder={_target_: spectramind_kit.models.HeteroscedasticHead, delta_bond: 6.0}"],
            "delta_bound",
        ),
        (["model.fgs1_encoder.direction=bot"], "both"),
        (["model.airs_encoder.graph_backend=indexadd"], "index_add"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_name_the_nearest(notebook, overrides, named):
    """Guards against a typing error that trains something else than was asked for."""
    with pytest.raises(ConfigError, match=named):
        build_model(config_of(*overrides).model)


def test_missing_and_unknown_parts():
    """Guards against a part that is left out, or misspelt, unnoticed."""
    with pytest.raises(ConfigError, match="model.fusion"):
        build_model(
            {k: {"_target_": "torch.nn.Identity"} for k in ("fgs1_encoder", "airs_encoder", "decoder")}
        )
    with pytest.raises(ConfigError, match="decoder"):
        build_model({"fgs1_encoder": {}, "airs_encoder": {}, "fusion": {}, "decoder": {}, "decodr": {}})
