"""The two selective state-space recurrences, step by step, as the papers write them.

They are the oracle of the fast forms in `ssd` and `selective_scan` (same signature) and, written as plain
loops, the yardstick of the benchmark. Run them in float64 when they judge.

Letters: B batch, L steps, D channels, N state, H heads, P channels of a head, G groups that share b and c.
"""

from __future__ import annotations

import torch
from torch import Tensor


def selective_scan_sequential(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    """Mamba-1 (Gu & Dao 2023, eq. 2 with the simplified Euler step for b): one step of time after the other.

    h_t = exp(dt_t a) h_{t-1} + dt_t b_t x_t ;  y_t = c_t . h_t + skip x_t

    Parameters
    ----------
    x, dt : (B, L, D)   input and positive step (softplus already applied); dt = 0 leaves the state as it is
    a : (D, N)          negative decay rates
    b, c : (B, L, N)    input and output maps
    skip : (D,)

    Returns (B, L, D).
    """
    state = x.new_zeros(x.shape[0], x.shape[2], a.shape[1])
    outputs = []
    for x_t, dt_t, b_t, c_t in zip(x.unbind(1), dt.unbind(1), b.unbind(1), c.unbind(1)):
        state = torch.exp(dt_t[..., None] * a) * state + (dt_t * x_t)[..., None] * b_t[:, None, :]
        outputs.append((state * c_t[:, None, :]).sum(-1))
    return torch.stack(outputs, 1) + skip * x


def ssd_sequential(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    """Mamba-2 (Dao & Gu 2024, eq. 3 with a scalar decay per head): one step of time after the other.

    Parameters
    ----------
    x : (B, L, H, P)      input
    dt : (B, L, H)        positive step
    a : (H,)              negative decay rates
    b, c : (B, L, G, N)   input and output maps, shared by the H/G heads of a group
    skip : (H,)

    Returns (B, L, H, P).
    """
    heads, groups = x.shape[2], b.shape[2]
    b = b.repeat_interleave(heads // groups, dim=2)
    c = c.repeat_interleave(heads // groups, dim=2)
    decay = torch.exp(dt * a)
    state = x.new_zeros(x.shape[0], heads, x.shape[3], b.shape[3])
    outputs = []
    for x_t, dt_t, decay_t, b_t, c_t in zip(
        x.unbind(1), dt.unbind(1), decay.unbind(1), b.unbind(1), c.unbind(1)
    ):
        state = decay_t[..., None, None] * state + (dt_t[..., None] * x_t)[..., None] * b_t[:, :, None, :]
        outputs.append((state * c_t[:, :, None, :]).sum(-1))
    return torch.stack(outputs, 1) + skip[:, None] * x
