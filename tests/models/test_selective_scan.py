"""Mamba-1's chunked scan against the step-by-step recurrence."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F

from spectramind_kit.models.scan_reference import selective_scan_sequential
from spectramind_kit.models.selective_scan import selective_scan_chunked
from tests.models.scan_checks import ScanChecks


def inputs_of(length: int, *, batch: int = 2, width: int = 6, states: int = 16):
    rng = torch.Generator().manual_seed(length)

    def draw(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    return (
        draw(batch, length, width),
        F.softplus(2 * draw(batch, length, width) - 3),
        -torch.exp(draw(width, states)),
        draw(batch, length, states),
        draw(batch, length, states),
        draw(width),
    )


class TestSelectiveScan(ScanChecks):
    fast = staticmethod(selective_scan_chunked)
    reference = staticmethod(selective_scan_sequential)
    inputs = staticmethod(inputs_of)
    smallest: ClassVar = {"width": 2, "states": 3}
