"""The numbers that a network computes in."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.runtime import Device
from spectramind_kit.training.precision import FLOAT32_CPU, Precision


@pytest.mark.parametrize(
    "amp, dtype", [("auto", torch.bfloat16), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_autocast_is_what_was_asked_for(amp, dtype):
    """Guards against a setting that is read and not used, and against `auto` that forgets the probe."""
    device = Device("cpu", "cpu", "bfloat16", "CPU")
    with Precision.of(device, amp).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == dtype


def test_only_float16_on_a_gpu_scales_its_loss():
    """Guards against gradients that underflow, and against a scaler that a CPU refuses."""
    assert FLOAT32_CPU.scaler() is None
    assert Precision(Device("cpu", "cpu", "float16", "CPU"), "float16").scaler() is None
    assert Precision(Device("cuda:0", "cuda", "bfloat16", "GPU"), "bfloat16").scaler() is None
