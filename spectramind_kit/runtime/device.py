"""The device to compute on: one that has run an operation."""

from __future__ import annotations

from dataclasses import dataclass

from spectramind_kit.errors import DataError


@dataclass(frozen=True)
class Device:
    """A device that has run an operation, and the dtype to train in on it."""

    name: str  # cpu, cuda or cuda:N
    kind: str  # cpu or cuda
    amp_dtype: str  # bfloat16, float16, or float32: no autocast
    note: str  # what it is, or why it is the CPU


def probe_device(wanted: str = "auto") -> Device:
    """Choose a device by running an operation on it, and the autocast dtype by compute capability.

    ``torch.cuda.is_available()`` is true on GPUs for which the installed torch has no kernels (P100), and
    bf16 is reported as supported where it is emulated (T4): so run a matrix product, and take bf16 from
    compute capability 8.0 on, fp16 from 7.0 on, fp32 below.
    """
    import torch

    if wanted not in ("auto", "cpu", "cuda") and not wanted.startswith("cuda:"):
        raise DataError(
            "unknown device", found=wanted, expected="auto, cpu, cuda or cuda:N", fix="correct `device`"
        )
    reason = "no CUDA device"
    if wanted != "cpu" and torch.cuda.is_available():
        try:
            return _probe_cuda("cuda" if wanted == "auto" else wanted)
        except (RuntimeError, AssertionError) as error:
            why = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
            reason = f"a GPU is there but runs no kernel ({why})"
    if wanted not in ("auto", "cpu"):
        raise DataError(
            "the GPU that was asked for cannot be used",
            where=wanted,
            found=reason,
            fix="use device=auto, or another accelerator in the kernel's settings",
        )
    return Device("cpu", "cpu", "float32", "CPU" if wanted == "cpu" else f"CPU: {reason}")


def _probe_cuda(name: str) -> Device:
    import torch

    x = torch.ones(8, 8, device=name)
    if float((x @ x).sum().item()) != 512.0:
        raise RuntimeError("wrong result of a matrix product")
    major, minor = torch.cuda.get_device_capability(name)
    dtype = "bfloat16" if major >= 8 else "float16" if major >= 7 else "float32"
    return Device(
        name, "cuda", dtype, f"{torch.cuda.get_device_name(name)}, sm_{major}{minor}, trains in {dtype}"
    )
