"""`runtime.device`: a device counts once it has run an operation."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import probe_device


class FakeTorch:
    """As much of torch as `probe_device` uses, with a GPU of a given kind."""

    def __init__(self, *, capability, fails=False):
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            get_device_capability=lambda device: capability,
            get_device_name=lambda device: "a GPU",
        )
        self._fails = fails

    def ones(self, *shape, device):
        if self._fails:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return np.ones(shape)


@pytest.mark.parametrize(
    "capability, dtype",
    [((6, 0), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")],
)
def test_dtype_follows_the_compute_capability(monkeypatch, capability, dtype):
    """Guards against bf16 on a T4, which claims to support it and emulates it."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(capability=capability))
    assert probe_device().amp_dtype == dtype
    assert probe_device("cpu").kind == "cpu"


def test_a_gpu_without_kernels_is_not_used(monkeypatch):
    """Guards against a P100: is_available() is true and no kernel runs."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(capability=(6, 0), fails=True))
    device = probe_device()
    assert device.kind == "cpu" and "runs no kernel" in device.note and device.amp_dtype == "float32"
    with pytest.raises(DataError, match="cannot be used"):
        probe_device("cuda")
    with pytest.raises(DataError, match="unknown device"):
        probe_device("tpu")
