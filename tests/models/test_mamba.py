"""Mamba blocks: the published equations in NumPy, other public implementations, mamba_ssm's parameters,
masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.mamba import Mamba, Mamba2


def block(form: str, **settings):
    torch.manual_seed(3)
    layer = Mamba(24, 16, **settings) if form == "mamba1" else Mamba2(24, 16, headdim=12, **settings)
    with torch.no_grad():  # away from special values: a wrong D, norm or bias must show
        for p in layer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return layer


# ---------------------------------------------------------------- parameters


def test_parameters_are_those_of_mamba_ssm():
    """Guards against weights that do not move between this kit and mamba_ssm: names and shapes of its modules
    (mamba_ssm 2.3, modules/mamba_simple.py and mamba2.py)."""
    d, n, inner = 24, 16, 48
    rank = math.ceil(d / 16)
    assert {k: tuple(v.shape) for k, v in Mamba(d, n).state_dict().items()} == {
        "A_log": (inner, n),
        "D": (inner,),
        "in_proj.weight": (2 * inner, d),
        "conv1d.weight": (inner, 1, 4),
        "conv1d.bias": (inner,),
        "x_proj.weight": (rank + 2 * n, inner),
        "dt_proj.weight": (inner, rank),
        "dt_proj.bias": (inner,),
        "out_proj.weight": (d, inner),
    }
    heads, conv = 4, inner + 2 * 2 * n
    assert {k: tuple(v.shape) for k, v in Mamba2(d, n, headdim=12, ngroups=2).state_dict().items()} == {
        "dt_bias": (heads,),
        "A_log": (heads,),
        "D": (heads,),
        "in_proj.weight": (inner + conv + heads, d),
        "conv1d.weight": (conv, 1, 4),
        "conv1d.bias": (conv,),
        "norm.weight": (inner,),
        "out_proj.weight": (d, inner),
    }


def test_parity_with_mamba_ssm_itself():
    """State dict and output against mamba_ssm on a GPU, both ways."""
    if not torch.cuda.is_available():
        pytest.skip("mamba_ssm runs on CUDA only")
    modules = pytest.importorskip("mamba_ssm")
    for name, settings in (("Mamba", {}), ("Mamba2", {"headdim": 16})):
        theirs = getattr(modules, name)(d_model=64, d_state=16, **settings).cuda()
        ours = {"Mamba": Mamba, "Mamba2": Mamba2}[name](64, 16, scan_backend="torch", **settings).cuda()
        ours.load_state_dict(theirs.state_dict(), strict=True)
        theirs.load_state_dict(ours.state_dict(), strict=True)
        hidden = torch.randn(2, 96, 64, device="cuda")
        assert torch.allclose(ours(hidden), theirs(hidden), atol=2e-3, rtol=2e-3)


# ---------------------------------------------------------------- outputs


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def convolved(x, weight, bias):
    """Causal depthwise convolution, then SiLU; x (L, C), weight (C, 1, taps)."""
    taps = weight.shape[-1]
    padded = np.vstack([np.zeros((taps - 1, x.shape[1])), x])
    return silu(np.stack([(padded[t : t + taps] * weight[:, 0].T).sum(0) + bias for t in range(len(x))]))


def mamba1_in_numpy(p, u):
    """Gu & Dao 2023, algorithm 2 and figure 3, one row u (L, d)."""
    inner, n = p["A_log"].shape
    x, z = np.split(u @ p["in_proj.weight"].T, 2, axis=-1)
    x = convolved(x, p["conv1d.weight"], p["conv1d.bias"])
    rank = p["dt_proj.weight"].shape[1]
    dt, b, c = np.split(x @ p["x_proj.weight"].T, [rank, rank + n], axis=-1)
    dt = softplus(dt @ p["dt_proj.weight"].T + p["dt_proj.bias"])
    a, h, y = -np.exp(p["A_log"]), np.zeros((inner, n)), np.zeros_like(x)
    for t in range(len(u)):
        h = np.exp(dt[t][:, None] * a) * h + dt[t][:, None] * b[t][None] * x[t][:, None]
        y[t] = h @ c[t] + p["D"] * x[t]
    return (y * silu(z)) @ p["out_proj.weight"].T


def mamba2_in_numpy(p, u, *, headdim=12, n=16):
    """Dao & Gu 2024, section 7 and listing 1, one row u (L, d), one group."""
    heads = len(p["A_log"])
    inner = heads * headdim
    z, xbc, dt = np.split(u @ p["in_proj.weight"].T, [inner, 2 * inner + 2 * n], axis=-1)
    x, b, c = np.split(convolved(xbc, p["conv1d.weight"], p["conv1d.bias"]), [inner, inner + n], axis=-1)
    dt, x = softplus(dt + p["dt_bias"]), x.reshape(-1, heads, headdim)
    a, h, y = -np.exp(p["A_log"]), np.zeros((heads, headdim, n)), np.zeros_like(x)
    for t in range(len(u)):
        h = np.exp(dt[t] * a)[:, None, None] * h + (dt[t][:, None] * x[t])[..., None] * b[t]
        y[t] = h @ c[t] + p["D"][:, None] * x[t]
    y = y.reshape(-1, inner) * silu(z)
    y = y / np.sqrt((y**2).mean(-1, keepdims=True) + 1e-5) * p["norm.weight"]
    return y @ p["out_proj.weight"].T


@pytest.mark.parametrize("form, equations", (("mamba1", mamba1_in_numpy), ("mamba2", mamba2_in_numpy)))
def test_output_equals_the_published_equations(form, equations):
    """Guards against a wrong order of the projections, a gate or a norm in the wrong place."""
    layer = block(form).double()
    hidden = torch.randn(2, 75, 24, dtype=torch.float64)
    parameters = {k: v.double().numpy() for k, v in layer.state_dict().items()}
    wanted = np.stack([equations(parameters, row) for row in hidden.numpy()])
    assert np.abs(layer(hidden).detach().numpy() - wanted).max() < 1e-10 * np.abs(wanted).max()
    single = layer.float()(hidden.float()).detach().numpy()
    assert np.abs(single - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_mamba1_equals_mambapy():
    """Another public implementation of Mamba-1 takes our state dict and gives the same output."""
    package = pytest.importorskip("mambapy.mamba")
    layer = block("mamba1")
    theirs = package.MambaBlock(package.MambaConfig(d_model=24, n_layers=1, d_state=16, use_cuda=False))
    theirs.load_state_dict(layer.state_dict(), strict=True)
    hidden = torch.randn(2, 75, 24)
    assert torch.allclose(layer(hidden), theirs(hidden), atol=1e-5)


@pytest.mark.slow  # importing transformers takes seconds
@pytest.mark.parametrize("form", ("mamba1", "mamba2"))
def test_output_equals_transformers(form):
    """Another public implementation of both blocks takes our state dict and gives the same output."""
    pytest.importorskip("transformers")
    layer = block(form)
    if form == "mamba1":
        from transformers.models.mamba.modeling_mamba import MambaConfig, MambaMixer

        theirs = MambaMixer(MambaConfig(hidden_size=24, state_size=16, expand=2), layer_idx=0)
    else:
        from transformers.models.mamba2.modeling_mamba2 import Mamba2Config, Mamba2Mixer

        theirs = Mamba2Mixer(
            Mamba2Config(
                hidden_size=24, state_size=16, expand=2, head_dim=12, num_heads=4, n_groups=1, chunk_size=32
            ),
            layer_idx=0,
        )
    theirs.load_state_dict(layer.state_dict(), strict=True)
    hidden = torch.randn(2, 75, 24)
    found = theirs(hidden)
    assert torch.allclose(layer(hidden), found[0] if isinstance(found, tuple) else found, atol=1e-5)


# ---------------------------------------------------------------- masks and precision


@pytest.mark.parametrize("form", ("mamba1", "mamba2"))
@pytest.mark.parametrize("before, behind", ((0, 9), (5, 0), (6, 11)))
def test_padding_changes_no_valid_output(form, before, behind):
    """Guards against padded steps that reach the state or the convolution, whatever stands in them."""
    layer = block(form)
    hidden = torch.randn(2, 40, 24)
    padded = torch.full((2, before + 40 + behind, 24), 7.0)
    padded[:, before : before + 40] = hidden
    mask = torch.zeros(2, before + 40 + behind, dtype=torch.bool)
    mask[:, before : before + 40] = True
    wanted = layer(hidden, mask=torch.ones(2, 40, dtype=torch.bool))
    assert torch.allclose(wanted, layer(hidden), atol=1e-6)
    assert torch.allclose(layer(padded, mask=mask)[:, before : before + 40], wanted, atol=1e-6)


@pytest.mark.parametrize("form", ("mamba1", "mamba2"))
def test_it_is_causal(form):
    """Guards against a convolution or scan that looks ahead."""
    layer = block(form)
    hidden = torch.randn(1, 40, 24)
    changed = hidden.clone()
    changed[:, 25:] = 0.0
    assert torch.allclose(layer(hidden)[:, :25], layer(changed)[:, :25], atol=1e-6)
    assert not torch.allclose(layer(hidden)[:, 25:], layer(changed)[:, 25:], atol=1e-3)


@pytest.mark.parametrize("form", ("mamba1", "mamba2"))
@pytest.mark.parametrize("half", (torch.float16, torch.bfloat16))
def test_autocast_stays_close(form, half):
    """Guards against NaN or drift under autocast: projections in half precision, the scan in fp32; 2e-2 of
    fp32."""
    layer = block(form)
    hidden = torch.randn(2, 187, 24, requires_grad=True)
    wanted = layer(hidden)
    wanted.square().sum().backward()
    wanted_grad, hidden.grad = hidden.grad, None
    with torch.autocast("cpu", dtype=half):
        found = layer(hidden)
    found.float().square().sum().backward()
    assert found.isfinite().all() and all(p.grad.isfinite().all() for p in layer.parameters())
    assert float((found.float() - wanted).detach().norm() / wanted.detach().norm()) < 2e-2
    assert float((hidden.grad - wanted_grad).norm() / wanted_grad.norm()) < 2e-2


def test_heads_must_divide_the_width():
    """Guards against a reshape error from inside torch."""
    with pytest.raises(ConfigError, match="headdim"):
        Mamba2(24, 16, headdim=20)
