"""Which scan runs: the choice, the error, and the call of mamba_ssm's kernels."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.models import scan
from spectramind_kit.models.mamba import Mamba, Mamba2
from spectramind_kit.models.scan_reference import selective_scan_sequential, ssd_sequential

CPU = torch.device("cpu")


@pytest.mark.parametrize("form", ("mamba1", "mamba2"))
def test_auto_takes_torch_on_a_cpu(form):
    """Guards against kernels that are looked for where they cannot run."""
    assert scan.resolve_scan_backend("auto", form=form, device=CPU) == "torch"


def test_unknown_backend_names_the_nearest():
    """Guards against a misspelt backend that silently becomes ours."""
    with pytest.raises(ConfigError, match="mamba_ssm"):
        scan.resolve_scan_backend("mamba-ssm", form="mamba2", device=CPU)
    with pytest.raises(ConfigError):
        Mamba2(16, 8, headdim=8, scan_backend="triton")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there: mamba_ssm may run")
@pytest.mark.parametrize("block", (Mamba, Mamba2))
def test_missing_kernels_are_an_error_when_the_model_is_built(block):
    """Guards against finding out at the first step, or against a silent fallback when the kernels were asked
    for."""
    with pytest.raises(DataError, match="pip install --no-build-isolation mamba-ssm"):
        block(32, 16, scan_backend="mamba_ssm")


def fake_mamba_ssm(monkeypatch):
    """mamba_ssm's two functions with their documented signatures and layouts, computed by the reference
    scans."""

    def selective_scan_fn(  # noqa: PLR0913 -- mamba_ssm's own signature
        u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False
    ):
        # (B, D, L), (B, N, L)
        assert u.shape == delta.shape and B.shape[1] == A.shape[1] and B.shape[2] == u.shape[2]
        assert u.dtype == torch.float32 and z is None and delta_bias is None and not delta_softplus
        u, delta, B, C = (t.transpose(1, 2) for t in (u, delta, B, C))
        return selective_scan_sequential(u, delta, A, B, C, D).transpose(1, 2)

    def mamba_chunk_scan_combined(  # noqa: PLR0913 -- mamba_ssm's own signature
        x,
        dt,
        A,
        B,
        C,
        chunk_size,
        D=None,
        z=None,
        dt_bias=None,
        initial_states=None,
        seq_idx=None,
        dt_softplus=False,
    ):
        assert x.ndim == 4 and B.ndim == 4 and z is None and dt_bias is None and not dt_softplus
        return ssd_sequential(x, dt, A, B, C, D)

    for path, function in (
        ("mamba_ssm.ops.selective_scan_interface", selective_scan_fn),
        ("mamba_ssm.ops.triton.ssd_combined", mamba_chunk_scan_combined),
    ):
        names = path.split(".")
        for k in range(1, len(names) + 1):
            name = ".".join(names[:k])
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        setattr(sys.modules[path], function.__name__, function)


@pytest.mark.parametrize("block", (Mamba, Mamba2))
def test_kernels_are_called_with_their_layout(block, monkeypatch):
    """Guards against swapped axes or a step that gets softplus twice: the kernel path equals ours, masks
    included."""
    torch.manual_seed(0)
    layer = block(32, 16)
    hidden = torch.randn(2, 40, 32)
    mask = torch.ones(2, 40, dtype=torch.bool)
    mask[0, 30:] = False
    wanted = layer(hidden, mask=mask)
    fake_mamba_ssm(monkeypatch)
    layer.scan_backend_used["cpu"] = "mamba_ssm"
    assert torch.allclose(layer(hidden, mask=mask), wanted, atol=1e-5)


def test_a_kernel_that_disagrees_is_not_used(monkeypatch):
    """Guards against an installed kernel that runs and gives garbage (wrong wheel for the GPU)."""
    fake_mamba_ssm(monkeypatch)
    monkeypatch.setattr(
        sys.modules["mamba_ssm.ops.triton.ssd_combined"],
        "mamba_chunk_scan_combined",
        lambda x, *args, **settings: torch.zeros_like(x),
    )
    monkeypatch.setattr(torch, "device", lambda *_: CPU)
    reason = scan._why_not.__wrapped__("mamba2", "cuda", 0)
    assert "disagrees" in reason
    assert scan._why_not.__wrapped__("mamba1", "cuda", 0) == ""


def test_a_broken_wheel_is_a_reason_not_a_crash(monkeypatch):
    """Guards against a kernel package that fails at import with something else than ImportError."""

    def broken(name):
        raise OSError("undefined symbol: _ZN3c10")

    monkeypatch.setattr(scan, "import_module", broken)
    monkeypatch.setattr(torch, "device", lambda *_: CPU)
    assert "OSError" in scan._why_not.__wrapped__("mamba1", "cuda", 0)


@pytest.mark.parametrize("form, block", [("mamba1", Mamba), ("mamba2", Mamba2)])
def test_kernels_that_fail_at_the_call_are_given_up(monkeypatch, capsys, form, block):
    """Guards against mamba-ssm built without its kernel: it imports, and its RuntimeError comes at the call,
    in the middle of a run."""
    torch.manual_seed(0)
    layer, hidden = block(32, 16), torch.randn(2, 40, 32)
    wanted = layer(hidden)

    def without_kernel(*args, **settings):
        raise RuntimeError("mamba_ssm was built without the selective_scan_cuda kernel")

    fake_mamba_ssm(monkeypatch)
    module, name = scan._KERNELS[form]
    monkeypatch.setattr(sys.modules[module], name, without_kernel)
    monkeypatch.setattr(torch, "device", lambda *_: CPU)
    assert "built without the selective_scan_cuda kernel" in scan._why_not.__wrapped__(form, "cuda", 0), (
        "the probe calls it"
    )
    monkeypatch.undo()
    fake_mamba_ssm(monkeypatch)
    monkeypatch.setattr(sys.modules[module], name, without_kernel)
    scan.say_once.cache_clear()
    layer.scan_backend_used["cpu"] = "mamba_ssm"  # as if the probe had passed
    for _ in range(2):
        assert torch.equal(layer(hidden), wanted)
    assert layer.scan_backend_used["cpu"] == "torch"
    assert capsys.readouterr().out.count("built without the selective_scan_cuda kernel") == 1
    layer.scan_backend, layer.scan_backend_used["cpu"] = "mamba_ssm", "mamba_ssm"
    with pytest.raises(RuntimeError, match="without the selective_scan_cuda"):
        layer(hidden)


def test_a_kernel_whose_gradient_is_missing_is_not_used(monkeypatch):
    """Guards against kernels that only run forward (built without the backward one): training would fail at
    its first step."""
    fake_mamba_ssm(monkeypatch)
    module = sys.modules["mamba_ssm.ops.selective_scan_interface"]
    forward = module.selective_scan_fn
    monkeypatch.setattr(
        module, "selective_scan_fn", lambda *args, **settings: forward(*args, **settings).detach()
    )
    monkeypatch.setattr(torch, "device", lambda *_: CPU)
    with torch.inference_mode():
        assert "does not require grad" in scan._why_not.__wrapped__("mamba1", "cuda", 0)
        assert scan._why_not.__wrapped__("mamba2", "cuda", 0) == "", (
            "asked in inference mode, as a submission does"
        )
