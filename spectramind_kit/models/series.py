"""What both encoders do to a time series first: clean it, describe its time axis, bin or patch it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CONTEXT_CHANNELS = 5


def clean(values: Tensor, valid: Tensor, *, limit: float = 20.0) -> Tensor:
    """Zero where not valid or not finite, clamped to ±``limit`` elsewhere.

    Selects instead of multiplying: a NaN in a masked step times zero would stay a NaN. Residuals beyond 20
    sigma are glitches (a cosmic ray, a pointing jump), which must not own the gradient.
    """
    return torch.where(valid & torch.isfinite(values), values, torch.zeros_like(values)).clamp(-limit, limit)


def describe_time(shape: Tensor, time: Tensor, mask: Tensor) -> Tensor:
    """What is known of each step without looking at the flux.

    shape (B, T) in [-1, 0], time (B, T) in half durations, mask (B, T) -> (B, T, 5): transit shape, its slope
    (ingress and egress), squashed time and its square, validity.
    """
    shape, time = clean(shape, mask, limit=2.0), clean(time, mask, limit=8.0)
    step = (time[:, 2:] - time[:, :-2]).clamp(min=1e-3)
    slope = (shape[:, 2:] - shape[:, :-2]) / step
    known = mask[:, 1:-1] & mask[:, 2:] & mask[:, :-2]
    edge = torch.zeros_like(shape)
    edge[:, 1:-1] = torch.where(known, slope, torch.zeros_like(step)).clamp(-8.0, 8.0)
    squashed = torch.tanh(time / 2.0)
    return torch.stack([shape, edge / 4.0, squashed, squashed.square(), mask.to(shape.dtype)], dim=-1)


def pad_to_multiple(values: Tensor, multiple: int) -> Tensor:
    """Zeros (False) at the end of dimension 1, until its length is a multiple."""
    missing = -values.shape[1] % multiple
    return F.pad(values, (0, 0) * (values.ndim - 2) + (0, missing)) if missing else values


def patch(values: Tensor, size: int) -> Tensor:
    """(B, T, C) -> (B, ceil(T / size), size · C)."""
    values = pad_to_multiple(values, size)
    return values.reshape(values.shape[0], -1, size * values.shape[-1])


def patch_mask(mask: Tensor, size: int) -> Tensor:
    """(B, T) -> (B, ceil(T / size)): a patch is valid when any of its steps is."""
    return pad_to_multiple(mask, size).reshape(mask.shape[0], -1, size).any(-1)
