"""Mamba-2's state-space dual form: the recurrence as a few matrix products per chunk of time.

Source: Dao & Gu 2024, "Transformers are SSMs", section 6 (block decomposition). Only matmul, cumsum and exp: it
runs on every device, and autograd differentiates it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ssd_chunked(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, *, chunk: int = 64) -> Tensor:
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
        return _ssd(x.to(dtype), dt.to(dtype), a.to(dtype), b.to(dtype), c.to(dtype), skip.to(dtype), chunk)


def _ssd(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor, chunk: int) -> Tensor:
    batch, length, heads, channels = x.shape
    groups, states = b.shape[2], b.shape[3]
    chunk = max(1, min(chunk, length))
    pad = -length % chunk
    driven, log_decay = x * dt[..., None], dt * a
    if pad:  # steps with dt = 0 neither decay nor drive the state
        driven, b, c = (F.pad(t, (0, 0, 0, 0, 0, pad)) for t in (driven, b, c))
        log_decay = F.pad(log_decay, (0, 0, 0, pad))
    count = (length + pad) // chunk
    # K = count chunks of l = chunk steps; G groups of R = H / G heads
    driven = driven.reshape(batch, count, chunk, heads, channels).transpose(2, 3)            # (B, K, H, l, P)
    b = b.reshape(batch, count, chunk, groups, states).transpose(2, 3)                       # (B, K, G, l, N)
    c = c.reshape(batch, count, chunk, groups, states).transpose(2, 3)
    log_decay = log_decay.reshape(batch, count, chunk, heads).transpose(2, 3)                # (B, K, H, l)

    # float64 sums: differences of a long fp32 sum would lose the 1e-5 that the reference is met to
    wide = log_decay if x.device.type == "mps" else log_decay.double()
    total = wide.cumsum(-1)
    ahead = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).triu(1)
    decay = (total[..., :, None] - total[..., None, :]).to(x.dtype).masked_fill(ahead, -torch.inf).exp()
    since_start = total.to(x.dtype).exp()                                                    # (B, K, H, l)
    until_end = (total[..., -1:] - total).to(x.dtype).exp()

    def per_head(t: Tensor) -> Tensor:
        return t if groups == heads else t.repeat_interleave(heads // groups, dim=2)

    within = (per_head(c @ b.transpose(-1, -2)) * decay) @ driven                            # (B, K, H, l, P)
    if count == 1:
        y = within
    else:
        b_heads, c_heads = per_head(b), per_head(c)
        gained = (b_heads * until_end[..., None]).transpose(-1, -2) @ driven                 # (B, K, H, N, P)
        state = torch.zeros_like(gained[:, 0])
        entering = [state]
        for gain, keep in zip(gained.unbind(1)[:-1], since_start[..., -1].unbind(1)[:-1]):
            state = torch.addcmul(gain, state, keep[..., None, None])
            entering.append(state)
        y = within + (c_heads * since_start[..., None]) @ torch.stack(entering, 1)
    y = y.transpose(2, 3).reshape(batch, length + pad, heads, channels)
    return y[:, :length] + skip[:, None] * x
