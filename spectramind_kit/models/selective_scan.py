"""Mamba-1's selective scan with a small memory: states are kept at chunk starts and recomputed backward.

Each (channel, state) pair has a decay of its own, so there is no matrix form as in `ssd`; what costs time in a plain
loop is autograd's bookkeeping per step. Here forward and backward are loops of one in-place multiply-add per step,
everything else is vectorised over a chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor


def selective_scan_chunked(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *,
                           chunk: int = 32) -> Tensor:
    """The same as `scan_reference.selective_scan_sequential`, with its own backward pass.

    Parameters
    ----------
    x, dt : (B, L, D); a : (D, N), < 0; b, c : (B, L, N); skip : (D,)
    chunk : int
        Steps whose states live at one time; memory is (L / chunk + 3 chunk) B D N numbers.

    Returns (B, L, D) in float32 (float64 for float64 input), whatever autocast says.
    """
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=x.device.type, enabled=False):
        x, dt, a, b, c = (t.to(dtype) for t in (x, dt, a, b, c))
        return _ChunkedScan.apply(x, dt, a, b, c, chunk) + skip.to(dtype) * x


def _step_first(t: Tensor) -> Tensor:
    return t.transpose(0, 1).contiguous()


class _ChunkedScan(torch.autograd.Function):
    """y = c . h without the skip term. Inside, time is the first axis, so that one step is one block of memory."""

    @staticmethod
    def forward(ctx, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int) -> Tensor:
        x, dt, b, c = (_step_first(t) for t in (x, dt, b, c))
        length, batch, width = x.shape
        chunk = max(1, min(chunk, length))
        states = x.new_empty(chunk + 1, batch, width, a.shape[1])
        starts = x.new_zeros(-(-length // chunk), batch, width, a.shape[1])
        y = torch.empty_like(x)
        for k, first in enumerate(range(0, length, chunk)):
            part = slice(first, min(first + chunk, length))
            steps = part.stop - part.start
            _run_states(states, starts[k], x[part], dt[part], a, b[part])
            torch.matmul(states[1:steps + 1], c[part, :, :, None], out=y[part].unsqueeze(-1))
            if k + 1 < len(starts):
                starts[k + 1] = states[steps]
        ctx.save_for_backward(x, dt, a, b, c, starts)
        ctx.chunk = chunk
        return y.transpose(0, 1)

    @staticmethod
    def backward(ctx, grad_y: Tensor):
        x, dt, a, b, c, starts = ctx.saved_tensors
        with torch.autocast(device_type=x.device.type, enabled=False):
            return *_backward(_step_first(grad_y.to(x.dtype)), x, dt, a, b, c, starts, ctx.chunk), None


def _run_states(states: Tensor, start: Tensor, x: Tensor, dt: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Fill ``states[0] = start`` and ``states[t + 1] = h_t`` for one chunk; returns exp(dt a), (l, B, D, N)."""
    steps = x.shape[0]
    decay = (dt[..., None] * a).exp_()
    states[0] = start
    torch.mul((dt * x)[..., None], b[:, :, None, :], out=states[1:steps + 1])
    views = states.unbind(0)
    for t, keep in enumerate(decay.unbind(0)):
        views[t + 1].addcmul_(keep, views[t])
    return decay


def _backward(grad_y: Tensor, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, starts: Tensor, chunk: int):
    length, batch, width = x.shape
    grad_x, grad_dt, grad_b, grad_c = (torch.empty_like(t) for t in (x, dt, b, c))
    grad_a = torch.zeros_like(a)
    states = x.new_empty(chunk + 1, batch, width, a.shape[1])
    grads = torch.empty_like(states[1:])
    carry = torch.zeros_like(starts[0])  # gradient that flows into the last state of the chunk from the next chunk
    for k in range(len(starts) - 1, -1, -1):
        part = slice(k * chunk, min((k + 1) * chunk, length))
        steps = part.stop - part.start
        decay = _run_states(states, starts[k], x[part], dt[part], a, b[part])
        h, g = states[1:steps + 1], grads[:steps]
        torch.mul(grad_y[part, :, :, None], c[part, :, None, :], out=g)  # dL/dh from y
        views, keeps = g.unbind(0), decay.unbind(0)
        views[-1].add_(carry)
        for t in range(steps - 2, -1, -1):
            views[t].addcmul_(keeps[t + 1], views[t + 1])
        torch.mul(keeps[0], views[0], out=carry)
        torch.matmul(grad_y[part, :, None, :], h, out=grad_c[part].unsqueeze(-2))
        torch.matmul((dt[part] * x[part])[:, :, None, :], g, out=grad_b[part].unsqueeze(-2))
        through_b = torch.matmul(g, b[part, :, :, None]).squeeze(-1)
        torch.mul(through_b, dt[part], out=grad_x[part])
        decay.mul_(g).mul_(states[:steps])  # dL/d(dt a)
        grad_dt[part] = torch.addcmul(torch.linalg.vecdot(decay, a), through_b, x[part])
        grad_a += decay.mul_(dt[part, :, :, None]).sum((0, 1))
    return (*(t.transpose(0, 1) for t in (grad_x, grad_dt)), grad_a, *(t.transpose(0, 1) for t in (grad_b, grad_c)))
