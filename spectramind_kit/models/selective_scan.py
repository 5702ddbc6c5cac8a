"""Mamba-1's selective scan with a small memory: states are kept at chunk starts and recomputed backward.

Each (channel, state) pair has a decay of its own, so there is no matrix form as in `ssd`; what costs time in
a plain loop is autograd's bookkeeping per step. Here forward and backward are loops of one in-place
multiply-add per step, everything else is vectorised over a chunk.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG2_E = 1.0 / math.log(2.0)  # exp2 is three times faster than exp in vectorised CPU code


def selective_scan_chunked(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int = 16
) -> Tensor:
    """The same as `scan_reference.selective_scan_sequential`, with its own backward pass.

    Parameters
    ----------
    x, dt : (B, L, D); a : (D, N), < 0; b, c : (B, L, N); skip : (D,)
    chunk : int
        Steps whose states live at one time; memory is (L / chunk + 4 chunk) B D N numbers.

    Returns (B, L, D) in float32 (float64 for float64 input), whatever autocast says.
    """
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=x.device.type, enabled=False):
        x, dt, a, b, c = (t.to(dtype) for t in (x, dt, a, b, c))
        return _ChunkedScan.apply(x, dt, a, b, c, chunk) + skip.to(dtype) * x


def _step_first(t: Tensor) -> Tensor:
    return t.transpose(0, 1).contiguous()


class _Buffers:
    """Scratch for one chunk: states (l + 1, B, N, D), decays (l, B, N, D) and their views step by step.

    The views are made once: making them anew in every chunk costs a tenth of the scan.
    """

    def __init__(self, like: Tensor, chunk: int):
        self.states = like.new_empty(chunk + 1, *like.shape[1:])
        self.decays = torch.empty_like(self.states[1:])
        self.state, self.decay = self.states.unbind(0), self.decays.unbind(0)

    def run(self, start: Tensor, driven: Tensor, dt: Tensor, rate: Tensor, b: Tensor) -> None:
        """``states[0] = start``, ``states[t + 1] = h_t``, ``decays[t] = exp(dt_t a)`` for one chunk."""
        steps = dt.shape[0]
        decays = torch.mul(dt[:, :, None, :], rate * _LOG2_E, out=self.decays[:steps])
        torch.exp2(decays, out=decays)
        self.states[0] = start
        torch.mul(driven[:, :, None, :], b[..., None], out=self.states[1 : steps + 1])
        before = self.state[0]
        for t in range(steps):
            before = self.state[t + 1].addcmul_(self.decay[t], before)


class _ChunkedScan(torch.autograd.Function):
    """y = c . h without the skip term.

    Inside, the state is (N, D) and time is the first axis: one step is one block of memory, and the long
    channel axis is innermost in every product, which is what vector units and broadcasting want.
    """

    @staticmethod
    def forward(ctx, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int) -> Tensor:
        x, dt, b, c = (_step_first(t) for t in (x, dt, b, c))
        rate = a.t().contiguous()
        length, batch, width = x.shape
        chunk = max(1, min(chunk, length))
        starts = x.new_zeros(-(-length // chunk), batch, a.shape[1], width)
        buffers = _Buffers(starts, chunk)
        driven, y = dt * x, torch.empty_like(x)
        for k, first in enumerate(range(0, length, chunk)):
            part = slice(first, min(first + chunk, length))
            steps = part.stop - part.start
            buffers.run(starts[k], driven[part], dt[part], rate, b[part])
            torch.matmul(c[part].unsqueeze(-2), buffers.states[1 : steps + 1], out=y[part].unsqueeze(-2))
            if k + 1 < len(starts):
                starts[k + 1] = buffers.state[steps]
        ctx.save_for_backward(x, dt, rate, b, c, starts)
        ctx.chunk = chunk
        return y.transpose(0, 1)

    @staticmethod
    def backward(ctx, grad_y: Tensor):
        x, dt, rate, b, c, starts = ctx.saved_tensors
        with torch.autocast(device_type=x.device.type, enabled=False):
            return *_backward(_step_first(grad_y.to(x.dtype)), x, dt, rate, b, c, starts, ctx.chunk), None


def _backward(
    grad_y: Tensor, x: Tensor, dt: Tensor, rate: Tensor, b: Tensor, c: Tensor, starts: Tensor, chunk: int
):
    length = x.shape[0]
    driven = dt * x
    grad_x, grad_dt, grad_b, grad_c = (torch.empty_like(t) for t in (x, dt, b, c))
    grad_rate = torch.zeros_like(rate)
    buffers = _Buffers(starts, chunk)
    grads, products = torch.empty_like(buffers.decays), torch.empty_like(buffers.decays)
    views = grads.unbind(0)
    # gradient that flows into the last state of the chunk from the next chunk
    carry = torch.zeros_like(starts[0])
    for k in range(len(starts) - 1, -1, -1):
        part = slice(k * chunk, min((k + 1) * chunk, length))
        steps = part.stop - part.start
        buffers.run(starts[k], driven[part], dt[part], rate, b[part])
        decay, grad, product = buffers.decays[:steps], grads[:steps], products[:steps]
        torch.mul(grad_y[part].unsqueeze(-2), c[part][..., None], out=grad)  # dL/dh from y alone
        after = views[steps - 1].add_(carry)
        for t in range(steps - 2, -1, -1):
            after = views[t].addcmul_(buffers.decay[t + 1], after)
        torch.mul(buffers.decay[0], after, out=carry)
        # product and sum: batched matrix-vector products of this size run six times slower on a CPU
        torch.mul(buffers.states[1 : steps + 1], grad_y[part].unsqueeze(-2), out=product)
        torch.sum(product, -1, out=grad_c[part])
        torch.mul(grad, driven[part].unsqueeze(-2), out=product)
        torch.sum(product, -1, out=grad_b[part])
        through_b = torch.matmul(b[part].unsqueeze(-2), grad).squeeze(-2)
        torch.mul(through_b, dt[part], out=grad_x[part])
        decay.mul_(grad).mul_(buffers.states[:steps])  # dL/d(dt a)
        grad_dt[part] = torch.mul(decay, rate, out=product).sum(-2).addcmul_(through_b, x[part])
        grad_rate += torch.mul(decay, dt[part].unsqueeze(-2), out=product).sum((0, 1))
    grad_x, grad_dt, grad_b, grad_c = (t.transpose(0, 1) for t in (grad_x, grad_dt, grad_b, grad_c))
    return grad_x, grad_dt, grad_rate.t(), grad_b, grad_c
