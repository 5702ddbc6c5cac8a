"""Mamba-2's state-space dual form: the recurrence as a few matrix products per chunk of time.

Source: Dao & Gu 2024, "Transformers are SSMs", section 6 (block decomposition). Only matmul, cumsum and exp, so it
runs on every device. The backward pass is written out, and step sizes, decays and the skip are folded into the small
(l, l) and (l, N) matrices: the series themselves are read by matrix products only, never copied or scaled. On a CPU,
where such passes over memory cost more than the products, this halves the time of the textbook form.

Letters: B batch, L steps, H heads, P channels of a head, N state, G groups of heads that share b and c; K chunks of
l steps. Everything inside is head by head, (B·K, l, ...).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ssd_chunked(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int = 32) -> Tensor:
    """The same as `scan_reference.ssd_sequential`, chunk by chunk.

    Parameters
    ----------
    x : (B, L, H, P); dt : (B, L, H), >= 0; a : (H,), < 0; b, c : (B, L, G, N); skip : (H,)
    chunk : int
        Steps of a chunk; L need not be a multiple of it.

    Returns (B, L, H, P) in float32 (float64 for float64 input), whatever autocast says: the exponents of long sums
    lose their digits in half precision.
    """
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=x.device.type, enabled=False):
        return _Ssd.apply(*(t.to(dtype) for t in (x, dt, a, b, c, skip)), max(1, min(chunk, x.shape[1])))


def _in_chunks(t: Tensor, chunk: int) -> Tensor:
    """(B, L, H, C) -> (H, B·K, l, C), a strided view; zeros are appended where L is no multiple of l."""
    missing = -t.shape[1] % chunk
    t = F.pad(t, (0, 0, 0, 0, 0, missing)) if missing else t.contiguous()
    return t.view(-1, chunk, *t.shape[2:]).permute(2, 0, 1, 3)


class _Pieces:
    """The small matrices of all heads, from dt (B, L, H), a (H,), b and c (B, L, G, N), skip (H,)."""

    def __init__(self, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, chunk: int):
        self.batch, heads = dt.shape[0], dt.shape[2]
        self.b, self.c = b, c = _in_chunks(b, chunk), _in_chunks(c, chunk)                   # (G, BK, l, N)
        self.dt = dt = _in_chunks(dt[..., None], chunk)[..., 0].contiguous()                 # (H, BK, l)
        self.entering: list[Tensor] = []                                                     # states, head by head
        self.group = [h * b.shape[0] // heads for h in range(heads)]
        # float64 sums: differences of long fp32 sums lose the digits that parity with the reference needs
        total = (dt if dt.device.type == "mps" else dt.double()).mul(a[:, None, None]).cumsum(-1)
        ahead = torch.ones(chunk, chunk, dtype=torch.bool, device=dt.device).triu_(1)
        self.decay = (total[..., :, None] - total[..., None, :]).to(dt.dtype).masked_fill_(ahead, -torch.inf).exp_()
        self.until_end = (total[..., -1:] - total).to(dt.dtype).exp_()                       # (H, BK, l)
        self.since_start = torch.exp(total.to(dt.dtype))
        scores = torch.matmul(c, b.transpose(-1, -2))[self.group]                            # (H, BK, l, l)
        self.mix = scores.mul_(self.decay)            # what step s gives to step t, per unit of dt_s
        self.within = self.mix * dt[..., None, :]
        self.within.diagonal(dim1=-2, dim2=-1).add_(skip[:, None, None])
        self.reads = c[self.group] * self.since_start[..., None]                             # (H, BK, l, N)
        self.writes = b[self.group] * (self.until_end * dt)[..., None]

        # decay from the end of chunk j to the start of chunk k > j: the states are passed on by one product, not by a loop
        passed = total[..., -1].view(heads, self.batch, -1).cumsum(-1)                       # (H, B, K)
        before = F.pad(passed[..., :-1], (1, 0))
        self.count = passed.shape[-1]
        later = torch.ones(self.count, self.count, dtype=torch.bool, device=dt.device).triu_()
        self.carry = (before[..., :, None] - passed[..., None, :]).to(dt.dtype).masked_fill_(later, -torch.inf).exp_()

    def between(self, h: int, states: Tensor, *, back: bool = False) -> Tensor:
        """States (BK, N, P) gained in each chunk -> states that enter each chunk; ``back``: the transpose."""
        carry = self.carry[h].transpose(-1, -2) if back else self.carry[h]
        return torch.bmm(carry, states.view(self.batch, self.count, -1)).view_as(states)


def _chunks(t: Tensor, chunk: int) -> Tensor:
    """(B, L, C) -> (B·K, l, C); a view where L is a multiple of l."""
    missing = -t.shape[1] % chunk
    t = F.pad(t, (0, 0, 0, missing)) if missing else t
    return t.unflatten(1, (-1, chunk)).flatten(0, 1)


class _Ssd(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, chunk: int) -> Tensor:
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        pieces = _Pieces(dt, a, b, c, skip, chunk)
        for h in range(x.shape[2]):
            y[:, :, h] = _run_head(_chunks(x[:, :, h], chunk), pieces, h, x.shape[1])
        ctx.save_for_backward(x, a)
        ctx.pieces = pieces
        return y

    @staticmethod
    def backward(ctx, grad_y: Tensor):
        x, a = ctx.saved_tensors
        with torch.autocast(device_type=x.device.type, enabled=False):
            return *_backward(grad_y.to(x.dtype), x, a, ctx.pieces), None


def _run_head(series: Tensor, pieces: _Pieces, h: int, length: int) -> Tensor:
    """series (B·K, l, P) -> output (B, L, P) of one head; keeps the states that enter the chunks in ``pieces``."""
    out = torch.bmm(pieces.within[h], series)
    if pieces.count > 1:
        gained = torch.bmm(pieces.writes[h].transpose(-1, -2), series)                       # (BK, N, P)
        entering = pieces.between(h, gained)
        out.baddbmm_(pieces.reads[h], entering)
        pieces.entering.append(entering)
    return out.view(pieces.batch, -1, series.shape[-1])[:, :length]


def _head_backward(grad_out: Tensor, series: Tensor, pieces: _Pieces, h: int):
    """Gradients of one head: of its input (B·K, l, P), its three matrices, and the decay over each chunk (B·K,)."""
    grad_in = torch.bmm(pieces.within[h].transpose(-1, -2), grad_out)
    grad_within = torch.bmm(grad_out, series.transpose(-1, -2))
    if pieces.count == 1:
        return grad_in, grad_within, torch.zeros_like(pieces.reads[h]), torch.zeros_like(pieces.writes[h]), series.new_zeros(len(series))
    entering = pieces.entering[h]
    leaving = pieces.between(h, torch.bmm(pieces.reads[h].transpose(-1, -2), grad_out), back=True)
    grad_in.baddbmm_(pieces.writes[h], leaving)
    return (grad_in, grad_within, torch.bmm(grad_out, entering.transpose(-1, -2)),
            torch.bmm(series, leaving.transpose(-1, -2)), torch.linalg.vecdot(leaving.flatten(1), entering.flatten(1)))


def _backward(grad_y: Tensor, x: Tensor, a: Tensor, pieces: _Pieces):
    """Gradients of x, dt, a, b, c and the skip."""
    batch, length, heads, channels = x.shape
    dt, b, c, group, chunk = pieces.dt, pieces.b, pieces.c, pieces.group, pieces.dt.shape[-1]
    grad_x, found = torch.empty_like(x, memory_format=torch.contiguous_format), []
    for h in range(heads):
        grad_in, *rest = _head_backward(_chunks(grad_y[:, :, h], chunk), _chunks(x[:, :, h], chunk), pieces, h)
        grad_x[:, :, h] = grad_in.view(batch, -1, channels)[:, :length]
        found.append(rest)
    grad_within, grad_reads, grad_writes, grad_keep = (torch.stack(t) for t in zip(*found))  # (H, BK, ...)

    grad_skip = grad_within.diagonal(dim1=-2, dim2=-1).sum((1, 2))
    by_step = grad_within * pieces.mix                                                       # dL / d(dt_s), per t
    written = (grad_writes * b[group]).sum(-1) * pieces.until_end                            # the same, through states
    given = by_step.sum(-2) + written
    # the exponents: what the sum of log-decays up to step t does to each of its uses. Gains and losses cancel along
    # the sum, so both are made of the same rounded numbers and added in float64; no decay lies between a step and itself
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    by_step.diagonal(dim1=-2, dim2=-1).zero_()
    by_step.mul_(dt[..., None, :])
    written = written.mul_(dt).to(wide)
    grad_total = by_step.sum(-1, dtype=wide) - by_step.sum(-2, dtype=wide) - written + (grad_reads * pieces.reads).sum(-1)
    grad_total[..., -1] += written.sum(-1) + grad_keep * pieces.since_start[..., -1]
    grad_log_decay = grad_total.flip(-1).cumsum(-1).flip(-1).to(dt.dtype)                    # (H, BK, l)
    grad_dt = given.addcmul_(grad_log_decay, a[:, None, None])

    grad_scores = grad_within.mul_(pieces.decay).mul_(dt[..., None, :])
    grad_c = grad_reads.mul_(pieces.since_start[..., None]).add_(torch.matmul(grad_scores, b[group]))
    grad_b = grad_writes.mul_((pieces.until_end * dt)[..., None]).add_(torch.matmul(grad_scores.transpose(-1, -2), c[group]))

    def over_time(t: Tensor, groups: int) -> Tensor:  # (H, BK, l, C) -> (B, L, G, C), heads of a group summed
        return t.unflatten(0, (groups, -1)).sum(1).permute(1, 2, 0, 3).reshape(batch, -1, groups, t.shape[-1])[:, :length]

    return (grad_x, over_time(grad_dt[..., None], heads)[..., 0], (grad_log_decay * dt).sum((1, 2)),
            over_time(grad_b, len(b)), over_time(grad_c, len(b)), grad_skip)
