"""Which scan runs: ours in PyTorch, or `mamba_ssm`'s kernels where they have run on this device."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from spectramind_kit.errors import DataError, check_choice
from spectramind_kit.models.selective_scan import selective_scan_chunked
from spectramind_kit.models.ssd import ssd_chunked
from spectramind_kit.optional_packages import describe
from spectramind_kit.runtime import say_once

SCAN_BACKENDS = ("auto", "torch", "mamba_ssm")
_KERNELS = {
    "mamba1": ("mamba_ssm.ops.selective_scan_interface", "selective_scan_fn"),
    "mamba2": ("mamba_ssm.ops.triton.ssd_combined", "mamba_chunk_scan_combined"),
}
_HOW_TO_GET = (
    "install it where a CUDA tool chain is: pip install --no-build-isolation mamba-ssm causal-conv1d; "
    "or set scan_backend=auto, which uses this kit's own scan"
)


def scan_name(form: str, device_type: str) -> str:
    """What the scan is called on the screen, in the log and in run.json."""
    return f"{form} scan on {device_type}"


def resolve_scan_backend(wanted: str, *, form: str, device: torch.device) -> str:
    """``torch`` or ``mamba_ssm`` for ``form`` (``mamba1``, ``mamba2``) on ``device``; says once which.

    ``auto`` takes the kernels only on a CUDA device on which a probe has run. Raises `ConfigError` for an
    unknown name, `DataError` when ``mamba_ssm`` is asked for and cannot run.
    """
    check_choice(wanted, SCAN_BACKENDS, what="scan_backend")
    why_not = "as asked" if wanted == "torch" else _why_not(form, device.type, device.index or 0)
    if why_not and wanted == "mamba_ssm":
        raise DataError(
            "mamba_ssm was asked for and cannot run",
            where=f"scan_backend=mamba_ssm, {form}, {device}",
            found=why_not,
            fix=_HOW_TO_GET,
        )
    what = f"the kit's own, in PyTorch ({why_not})" if why_not else "mamba_ssm's kernels"
    say_once(f"{scan_name(form, device.type)}: {what}")
    return "torch" if why_not else "mamba_ssm"


def give_up_kernels(error: Exception, *, form: str, device: torch.device) -> str:
    """``torch``, after saying once why mamba_ssm's kernels, which ran in the probe, are not used any more."""
    say_once(
        f"{scan_name(form, device.type)}: torch from here on "
        f"(mamba_ssm's kernel ran in a probe and then failed: {describe(error)})"
    )
    return "torch"


def run_scan(form: str, *inputs: Tensor, backend: str, chunk: int) -> Tensor:
    """The scan ``form`` of x, dt, a, b, c, skip; shapes of `selective_scan_chunked` and `ssd_chunked`."""
    return _SCANS[form][backend](*inputs, chunk=chunk)


@cache
def _why_not(form: str, device_type: str, device_index: int) -> str:
    """Empty when mamba_ssm's kernel of this form has run and agreed with ours here, else the reason."""
    if device_type != "cuda":
        return f"mamba_ssm's kernels need a CUDA device, this is {device_type}"
    device = torch.device(device_type, device_index)
    try:
        # the first call of a model may be made in inference mode or under autocast
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device_type=device.type, enabled=False),
        ):
            x, *others = _probe_inputs(form, device)
            x.requires_grad_()
            results = [run_scan(form, x, *others, backend=b, chunk=32) for b in ("torch", "mamba_ssm")]
            if reason := _disagreement("result", *(y.detach() for y in results)):
                return reason
            return _disagreement("gradient", *(torch.autograd.grad(y.square().sum(), x)[0] for y in results))
    except Exception as error:
        return describe(error)


def _probe_inputs(form: str, device: torch.device) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng).to(device)

    if form == "mamba1":
        x, dt, a, bc, skip = (2, 40, 8), (2, 40, 8), (8, 16), (2, 40, 16), (8,)
    else:
        x, dt, a, bc, skip = (2, 40, 2, 32), (2, 40, 2), (2,), (2, 40, 1, 16), (2,)
    return draw(*x), draw(*dt).abs() * 0.1, -draw(*a).abs(), draw(*bc), draw(*bc), draw(*skip)


def _disagreement(name: str, ours: Tensor, theirs: Tensor) -> str:
    off = float((ours - theirs).abs().max() / ours.abs().max())
    return "" if off < 1e-2 else f"its kernel's {name} disagrees with the reference by {off:.1e} on a probe"


def _kernel(form: str):
    module, name = _KERNELS[form]
    return getattr(import_module(module), name)


def _mamba1_kernel(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int
) -> Tensor:
    # the kernel wants (B, D, L) and (B, N, L), fp32 in and out; it cuts no chunks
    x, dt, b, c = (t.float().transpose(1, 2).contiguous() for t in (x, dt, b, c))
    raw = {"z": None, "delta_bias": None, "delta_softplus": False}
    return _kernel("mamba1")(x, dt, a.float(), b, c, D=skip.float(), **raw).transpose(1, 2)


def _mamba2_kernel(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int
) -> Tensor:
    x, dt, a, b, c, skip = (t.float().contiguous() for t in (x, dt, a, b, c, skip))
    raw = {"z": None, "dt_bias": None, "dt_softplus": False}
    return _kernel("mamba2")(x, dt, a, b, c, chunk_size=chunk, D=skip, **raw)


_SCANS = {
    "mamba1": {"torch": selective_scan_chunked, "mamba_ssm": _mamba1_kernel},
    "mamba2": {"torch": ssd_chunked, "mamba_ssm": _mamba2_kernel},
}
