"""Mamba-2's state-space dual form: the recurrence as a few matrix products per chunk of time.

Source: Dao & Gu 2024, "Transformers are SSMs", section 6 (block decomposition). Only matmul, cumsum and exp,
so it runs on every device. The backward pass is written out, and step sizes, decays and the skip are folded
into the small (l, l) and (l, N) matrices: the series themselves are read by matrix products only, never
copied or scaled. On a CPU, where such passes over memory cost more than the products, this halves the time of
the textbook form.

Letters: B batch, L steps, H heads, P channels of a head, N state, G groups of heads that share b and c; K
chunks of l steps. Everything inside is head by head, (B·K, l, ...).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ssd_chunked(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int = 32
) -> Tensor:
    """The same as `scan_reference.ssd_sequential`, chunk by chunk.

    Parameters
    ----------
    x : (B, L, H, P); dt : (B, L, H), >= 0; a : (H,), < 0; b, c : (B, L, G, N); skip : (H,)
    chunk : int
        Steps of a chunk; L need not be a multiple of it.

    Returns (B, L, H, P) in float32 (float64 for float64 input), whatever autocast says: the exponents of long
    sums lose their digits in half precision.
    """
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=x.device.type, enabled=False):
        return _Ssd.apply(*(t.to(dtype) for t in (x, dt, a, b, c, skip)), max(1, min(chunk, x.shape[1])))


def _in_chunks(t: Tensor, chunk: int) -> Tensor:
    """(B, L, H, C) -> (H, B·K, l, C) in one pass over memory; zeros stand where L is no multiple of l."""
    batch, length, heads, channels = t.shape
    padded = length + -length % chunk
    out = t.new_empty(heads, batch, padded, channels)
    out[:, :, :length] = t.permute(2, 0, 1, 3)
    out[:, :, length:] = 0.0
    return out.view(heads, -1, chunk, channels)


def _over_time(t: Tensor, batch: int, length: int) -> Tensor:
    """(H, B·K, l, C) -> (B, L, H, C), a view: the inverse of `_in_chunks`."""
    return t.view(t.shape[0], batch, -1, t.shape[-1])[:, :, :length].permute(1, 2, 0, 3)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """(H, BK, i, j) @ (H, BK, j, k) as one batch."""
    return torch.bmm(left.flatten(0, 1), right.flatten(0, 1)).unflatten(0, left.shape[:2])


class _Pieces:
    """The small matrices of all heads, from dt (B, L, H), a (H,), b and c (B, L, G, N), skip (H,)."""

    def __init__(self, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, chunk: int):
        self.batch, heads = dt.shape[0], dt.shape[2]
        self.b, self.c = b, c = _in_chunks(b, chunk), _in_chunks(c, chunk)  # (G, BK, l, N)
        self.dt = dt = _in_chunks(dt[..., None], chunk)[..., 0].contiguous()  # (H, BK, l)
        self.group = [h * b.shape[0] // heads for h in range(heads)]
        # float64 sums: differences of long fp32 sums lose the digits that parity with the reference needs
        total = (dt if dt.device.type == "mps" else dt.double()).mul(a[:, None, None]).cumsum(-1)
        ahead = torch.ones(chunk, chunk, dtype=torch.bool, device=dt.device).triu_(1)
        head = total.to(dt.dtype)
        # head + tail: float64's digits in two fp32 numbers, at half the traffic
        tail = (total - head).to(dt.dtype)
        since = (head[..., :, None] - head[..., None, :]).add_(tail[..., :, None]).sub_(tail[..., None, :])
        self.decay = since.masked_fill_(ahead, -torch.inf).exp_()
        self.until_end = (total[..., -1:] - total).to(dt.dtype).exp_()  # (H, BK, l)
        self.since_start = torch.exp(total.to(dt.dtype))
        scores = torch.matmul(c, b.transpose(-1, -2))[self.group]  # (H, BK, l, l)
        self.mix = scores.mul_(self.decay)  # what step s gives to step t, per unit of dt_s
        self.within = self.mix * dt[..., None, :]
        self.within.diagonal(dim1=-2, dim2=-1).add_(skip[:, None, None])
        self.reads = c[self.group] * self.since_start[..., None]  # (H, BK, l, N)
        self.writes = b[self.group] * (self.until_end * dt)[..., None]

        self.count = dt.shape[1] // self.batch
        self.total = total

    def pass_on(self, gained: Tensor, *, back: bool = False) -> Tensor:
        """States (H, BK, N, P) gained in each chunk -> states that enter each chunk; ``back``: the transpose.

        A CPU walks from chunk to chunk, with all heads and rows at once; a GPU, where a step costs a kernel,
        takes one product with the decays from every chunk to every later one.
        """
        shape = (len(gained), self.batch, self.count, *gained.shape[2:])
        if gained.device.type == "cpu":
            gains, entering = gained.view(shape).unbind(2), gained.new_empty(shape)
            enters, keeps = entering.unbind(2), self.since_start[..., -1].view(*shape[:3], 1, 1).unbind(2)
            order = range(self.count - 1, -1, -1) if back else range(self.count)
            before = None
            for k in order:
                if before is None:
                    enters[k].zero_()
                else:
                    torch.addcmul(gains[before], keeps[before], enters[before], out=enters[k])
                before = k
            return entering.view_as(gained)
        passed = self.total[..., -1].view(shape[:3]).cumsum(-1)  # (H, B, K)
        later = torch.ones(self.count, self.count, dtype=torch.bool, device=gained.device).triu_()
        carry = (F.pad(passed[..., :-1], (1, 0))[..., :, None] - passed[..., None, :]).to(gained.dtype)
        carry = carry.masked_fill_(later, -torch.inf).exp_()
        carry = carry.transpose(-1, -2) if back else carry
        return torch.matmul(carry, gained.view(*shape[:3], -1)).view_as(gained)


class _Ssd(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, chunk: int
    ) -> Tensor:
        pieces, series = _Pieces(dt, a, b, c, skip, chunk), _in_chunks(x, chunk)  # (H, BK, l, P)
        y, entering = _product(pieces.within, series), None
        if pieces.count > 1:
            entering = pieces.pass_on(_product(pieces.writes.transpose(-1, -2), series))  # (H, BK, N, P)
            y.flatten(0, 1).baddbmm_(pieces.reads.flatten(0, 1), entering.flatten(0, 1))
        ctx.save_for_backward(series, a, entering)
        ctx.pieces, ctx.length = pieces, x.shape[1]
        return _over_time(y, *x.shape[:2])

    @staticmethod
    def backward(ctx, grad_y: Tensor):
        series, a, entering = ctx.saved_tensors
        with torch.autocast(device_type=series.device.type, enabled=False):
            return *_backward(grad_y.to(series.dtype), series, a, entering, ctx.pieces, ctx.length), None


def _backward(
    grad_y: Tensor, series: Tensor, a: Tensor, entering: Tensor | None, pieces: _Pieces, length: int
):
    """Gradients of x, dt, a, b, c and the skip."""
    batch, dt, b, c, group = pieces.batch, pieces.dt, pieces.b, pieces.c, pieces.group
    grad_out = _in_chunks(grad_y, dt.shape[-1])
    grad_series = _product(pieces.within.transpose(-1, -2), grad_out)
    grad_within = _product(grad_out, series.transpose(-1, -2))
    if entering is None:  # a single chunk: no state is ever read
        grad_reads, grad_writes = torch.zeros_like(pieces.reads), torch.zeros_like(pieces.writes)
        grad_keep = torch.zeros_like(pieces.since_start[..., -1])
    else:
        # of the states that leave
        leaving = pieces.pass_on(_product(pieces.reads.transpose(-1, -2), grad_out), back=True)
        grad_series.flatten(0, 1).baddbmm_(pieces.writes.flatten(0, 1), leaving.flatten(0, 1))
        grad_reads = _product(grad_out, entering.transpose(-1, -2))
        grad_writes = _product(series, leaving.transpose(-1, -2))
        grad_keep = torch.linalg.vecdot(leaving.flatten(2), entering.flatten(2))  # (H, BK)

    grad_skip = grad_within.diagonal(dim1=-2, dim2=-1).sum((1, 2))
    # dL / d(dt_s), per t
    by_step = grad_within * pieces.mix
    # the same, through states
    written = (grad_writes * b[group]).sum(-1) * pieces.until_end
    given = by_step.sum(-2) + written
    # the exponents: what the sum of log-decays up to step t does to each of its uses. Gains and losses cancel
    # along the sum, so both are made of the same rounded numbers and added in float64; no decay lies between
    # a step and itself
    wide = torch.float32 if series.device.type == "mps" else torch.float64
    by_step.diagonal(dim1=-2, dim2=-1).zero_()
    exact, written = by_step.mul_(dt[..., None, :]).to(wide), written.mul_(dt).to(wide)
    grad_total = exact.sum(-1) - exact.sum(-2) - written + (grad_reads * pieces.reads).sum(-1)
    grad_total[..., -1] += written.sum(-1) + grad_keep * pieces.since_start[..., -1]
    grad_log_decay = grad_total.flip(-1).cumsum(-1).flip(-1).to(dt.dtype)  # (H, BK, l)
    grad_dt = given.addcmul_(grad_log_decay, a[:, None, None])

    grad_scores = grad_within.mul_(pieces.decay).mul_(dt[..., None, :])
    grad_c = grad_reads.mul_(pieces.since_start[..., None]).add_(torch.matmul(grad_scores, b[group]))
    by_scores = torch.matmul(grad_scores.transpose(-1, -2), c[group])
    grad_b = grad_writes.mul_((pieces.until_end * dt)[..., None]).add_(by_scores)

    def of_groups(t: Tensor) -> Tensor:  # (H, BK, l, N) -> (B, L, G, N), heads of a group summed
        return _over_time(t.unflatten(0, (len(b), -1)).sum(1), batch, length)

    return (
        _over_time(grad_series, batch, length),
        _over_time(grad_dt[..., None], batch, length)[..., 0],
        (grad_log_decay * dt).sum((1, 2)),
        of_groups(grad_b),
        of_groups(grad_c),
        grad_skip,
    )
