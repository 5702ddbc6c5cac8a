"""Which scan runs: ours in PyTorch, or `mamba_ssm`'s kernels where they import and have run on this
device."""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module

import torch
from torch import Tensor

from spectramind_kit.errors import ConfigError, DataError, nearest
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


def resolve_scan_backend(wanted: str, *, form: str, device: torch.device) -> str:
    """``torch`` or ``mamba_ssm`` for the scan ``form`` (``mamba1``, ``mamba2``) on ``device``; says once
    which.

    ``auto`` takes the kernels only on a CUDA device on which a probe has run. Raises `ConfigError` for an
    unknown name, `DataError` when ``mamba_ssm`` is asked for and cannot run.
    """
    if wanted not in SCAN_BACKENDS:
        raise ConfigError(
            "unknown scan_backend",
            found=wanted,
            expected=" | ".join(SCAN_BACKENDS),
            fix=nearest(wanted, SCAN_BACKENDS),
        )
    used, why = "torch", "as asked"
    if wanted != "torch":
        why = _why_not(form, device.type, device.index or 0)
        if not why:
            used = "mamba_ssm"
        elif wanted == "mamba_ssm":
            raise DataError(
                "mamba_ssm was asked for and cannot run",
                where=f"scan_backend=mamba_ssm, {form}, {device}",
                found=why,
                fix=_HOW_TO_GET,
            )
    say_once(f"{form} scan: {used} on {device.type}{f' ({why})' if used == 'torch' else ''}")
    return used


@cache
def _why_not(form: str, device_type: str, device_index: int) -> str:
    """Empty when mamba_ssm's kernel of this form has run and agreed with ours here, else the reason."""
    if device_type != "cuda":
        return f"mamba_ssm's kernels need a CUDA device, this is {device_type}"
    device = torch.device(device_type, device_index)
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng).to(device)

    try:
        # the first call of a model may be made in inference mode or under autocast
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device_type=device.type, enabled=False),
        ):
            if form == "mamba1":
                args = (
                    draw(2, 40, 8),
                    draw(2, 40, 8).abs() * 0.1,
                    -draw(8, 16).abs(),
                    draw(2, 40, 16),
                    draw(2, 40, 16),
                    draw(8),
                )
                ours, theirs = selective_scan_chunked, _mamba1_kernel
            else:
                args = (
                    draw(2, 40, 2, 32),
                    draw(2, 40, 2).abs() * 0.1,
                    -draw(2).abs(),
                    draw(2, 40, 1, 16),
                    draw(2, 40, 1, 16),
                    draw(2),
                )
                ours, theirs = ssd_chunked, partial(_mamba2_kernel, chunk=32)
            x = args[0].clone().requires_grad_()
            results = [scan(x, *args[1:]) for scan in (ours, theirs)]
            if reason := _disagreement("result", *(y.detach() for y in results)):
                return reason
            return _disagreement("gradient", *(torch.autograd.grad(y.square().sum(), x)[0] for y in results))
    except Exception as error:
        return describe(error)


def _disagreement(name: str, ours: Tensor, theirs: Tensor) -> str:
    off = float((ours - theirs).abs().max() / ours.abs().max())
    return "" if off < 1e-2 else f"its kernel's {name} disagrees with the reference by {off:.1e} on a probe"


def give_up_kernels(error: Exception, *, form: str, device: torch.device) -> str:
    """``torch``, after saying once why mamba_ssm's kernels are not used any more: they ran in the probe and
    failed now."""
    say_once(
        f"{form} scan: torch on {device.type} from here on "
        f"(mamba_ssm's kernel ran in a probe and then failed: {describe(error)})"
    )
    return "torch"


def _kernel(form: str):
    module, name = _KERNELS[form]
    return getattr(import_module(module), name)


def _mamba1_kernel(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    # the kernel wants (B, D, L) and (B, N, L); fp32 in and out
    x, dt, b, c = (t.float().transpose(1, 2).contiguous() for t in (x, dt, b, c))
    y = _kernel("mamba1")(
        x, dt, a.float(), b, c, D=skip.float(), z=None, delta_bias=None, delta_softplus=False
    )
    return y.transpose(1, 2)


def _mamba2_kernel(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int
) -> Tensor:
    x, dt, a, b, c, skip = (t.float().contiguous() for t in (x, dt, a, b, c, skip))
    return _kernel("mamba2")(
        x, dt, a, b, c, chunk_size=chunk, D=skip, z=None, dt_bias=None, dt_softplus=False
    )


def mamba1_scan(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, backend: str, chunk: int
) -> Tensor:
    """`selective_scan_chunked` or mamba_ssm's ``selective_scan_fn``; shapes of `selective_scan_chunked`."""
    if backend == "mamba_ssm":
        with torch.autocast(device_type=x.device.type, enabled=False):
            return _mamba1_kernel(x, dt, a, b, c, skip)
    return selective_scan_chunked(x, dt, a, b, c, skip, chunk=chunk)


def mamba2_scan(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, backend: str, chunk: int
) -> Tensor:
    """`ssd_chunked` or mamba_ssm's ``mamba_chunk_scan_combined``; shapes of `ssd_chunked`."""
    if backend == "mamba_ssm":
        with torch.autocast(device_type=x.device.type, enabled=False):
            return _mamba2_kernel(x, dt, a, b, c, skip, chunk=chunk)
    return ssd_chunked(x, dt, a, b, c, skip, chunk=chunk)
