"""Mamba-2's dual form against the step-by-step recurrence."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F

from spectramind_kit.models.scan_reference import ssd_sequential
from spectramind_kit.models.ssd import ssd_chunked
from tests.models.scan_checks import ScanChecks


def inputs_of(
    length: int, *, batch: int = 2, heads: int = 4, channels: int = 8, groups: int = 2, states: int = 16
):
    rng = torch.Generator().manual_seed(length)

    def draw(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    return (
        draw(batch, length, heads, channels),
        F.softplus(2 * draw(batch, length, heads) - 3),
        -16 * torch.rand(heads, generator=rng).double() - 0.5,
        draw(batch, length, groups, states),
        draw(batch, length, groups, states),
        draw(heads),
    )


class TestSsd(ScanChecks):
    fast = staticmethod(ssd_chunked)
    reference = staticmethod(ssd_sequential)
    inputs = staticmethod(inputs_of)
    smallest: ClassVar = {"heads": 2, "channels": 2, "groups": 1, "states": 3}


def test_heads_of_a_group_share_its_maps():
    """Guards against heads that read the maps of another group."""
    x, dt, a, b, c, skip = inputs_of(50)
    whole = ssd_chunked(x, dt, a, b, c, skip)
    for group, heads in ((0, slice(0, 2)), (1, slice(2, 4))):
        own = slice(group, group + 1)
        alone = ssd_chunked(x[:, :, heads], dt[..., heads], a[heads], b[:, :, own], c[:, :, own], skip[heads])
        assert torch.allclose(alone, whole[:, :, heads], atol=1e-12)
