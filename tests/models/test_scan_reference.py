"""The step-by-step recurrences, which judge the fast scans, against what needs no recurrence."""

from __future__ import annotations

import numpy as np
import torch

from spectramind_kit.models.scan_reference import selective_scan_sequential, ssd_sequential


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_steady_scan_is_a_convolution():
    """Guards against a decay of the wrong step: steady dt, b and c make it x convolved with c·exp(a t)·b."""
    length, states, step = 40, 3, 0.2
    x, a = draw(1, length, 1), -draw(1, states, seed=1).abs()
    b, c = draw(states, seed=2), draw(states, seed=3)
    steady = (
        torch.full_like(x, step),
        a,
        b.expand(1, length, -1),
        c.expand(1, length, -1),
        torch.tensor([0.7]),
    )
    found = selective_scan_sequential(x, *steady)[0, :, 0].numpy()
    kernel = [step * float((c * b * torch.exp(a[0] * step * k)).sum()) for k in range(length)]
    series = x[0, :, 0].numpy()
    assert np.allclose(found, np.convolve(series, kernel)[:length] + 0.7 * series, atol=1e-12)


def test_mamba2_is_mamba1_with_one_decay_per_head():
    """Guards against the two references disagreeing on what the recurrence is."""
    batch, length, heads, channels, states = 2, 30, 2, 3, 4
    x, dt = draw(batch, length, heads, channels), draw(batch, length, heads, seed=1).abs() * 0.3
    a, skip = -draw(heads, seed=2).abs(), draw(heads, seed=3)
    b, c = draw(batch, length, 1, states, seed=4), draw(batch, length, 1, states, seed=5)
    found = ssd_sequential(x, dt, a, b, c, skip)
    by_channel = [t.repeat_interleave(channels, dim=-1) for t in (dt, a, skip)]
    rates = by_channel[1][:, None].expand(-1, states)
    wanted = selective_scan_sequential(
        x.flatten(-2), by_channel[0], rates, b[:, :, 0], c[:, :, 0], by_channel[2]
    )
    assert torch.allclose(found.flatten(-2), wanted, atol=1e-12)


def test_a_step_of_length_zero_leaves_the_state():
    """Guards against masked steps (dt = 0) that decay or drive the state."""
    x, a, b, c, skip = (
        draw(1, 9, 2),
        -draw(2, 3, seed=1).abs(),
        draw(1, 9, 3),
        draw(1, 9, 3, seed=2),
        torch.zeros(2),
    )
    dt = torch.full_like(x, 0.5)
    dt[:, 4] = 0.0
    keep = [0, 1, 2, 3, 5, 6, 7, 8]
    without = selective_scan_sequential(x[:, keep], dt[:, keep], a, b[:, keep], c[:, keep], skip.double())
    assert torch.allclose(selective_scan_sequential(x, dt, a, b, c, skip.double())[:, keep], without)
