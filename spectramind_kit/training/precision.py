"""Where a network computes, and in which numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from spectramind_kit.runtime import Device


@dataclass(frozen=True)
class Precision:
    """A device, and the dtype of its autocast."""

    device: Device
    dtype: str = "float32"  # bfloat16, float16, or float32: no autocast

    @classmethod
    def of(cls, device: Device, amp: str = "auto") -> Precision:
        """``amp`` as in `TrainSettings`: auto takes what the device's probe found."""
        return cls(device, device.amp_dtype if amp == "auto" else amp)

    def autocast(self) -> AbstractContextManager:
        """A context for the forward pass."""
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.device.kind, dtype=getattr(torch, self.dtype))

    def scaler(self) -> torch.amp.GradScaler | None:
        """A loss scaler, which only float16 on a GPU needs."""
        needed = self.dtype == "float16" and self.device.kind == "cuda"
        return torch.amp.GradScaler(self.device.kind) if needed else None


FLOAT32_CPU = Precision(Device("cpu", "cpu", "float32", "CPU"))
