"""Along time, for every wavelength with the same weights: a convolutional encoder and plain projections."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.layers import widen
from spectramind_kit.models.series import (
    CONTEXT_CHANNELS,
    clean,
    describe_time,
    pad_to_multiple,
    patch,
    patch_mask,
)

N_MOMENTS = 6


def time_basis(shape: Tensor, time: Tensor, mask: Tensor) -> Tensor:
    """Unit vectors over time that a residual is projected on: (B, M, T), M = 6.

    Constant, transit shape, its slope (ingress and egress), time, time², time × transit shape. White
    residuals in units of their errors give projections of variance one, whatever the number of valid steps.
    """
    context = describe_time(shape, time, mask)
    transit, edge, tick, tick2, valid = context.unbind(-1)
    basis = torch.stack([torch.ones_like(transit), transit, edge, tick, tick2, tick * transit], dim=1)
    basis = basis * valid[:, None]
    return basis / basis.square().sum(-1, keepdim=True).clamp(min=1e-3).sqrt()


class TemporalMoments(nn.Module):
    """Residual light curves projected on `time_basis`; no weights. flux (B, T, W) -> (B, W, M)."""

    out_features = N_MOMENTS

    def forward(self, flux: Tensor, *, shape: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        with torch.autocast(device_type=flux.device.type, enabled=False):
            residual = clean(widen(flux), mask[..., None])
            moments = torch.bmm(time_basis(widen(shape), widen(time), mask), residual).transpose(1, 2)
        return 10.0 * torch.tanh(moments / 10.0)


class MultiKernelConv(nn.Module):
    """Output channels shared out among kernels of several lengths, run as one convolution of the longest.

    x (B, C, T, W) in channels-last memory, convolved along T only: an order of magnitude faster on a CPU than
    B·W separate short sequences.
    """

    def __init__(self, channels: int, *, kernels: tuple[int, ...]):
        super().__init__()
        if not kernels or any(k % 2 == 0 for k in kernels):
            found = str(tuple(kernels))
            raise ConfigError("kernels along time must be odd", where="airs_encoder.kernels", found=found)
        shares = [channels // len(kernels) + (k < channels % len(kernels)) for k in range(len(kernels))]
        self.widest = max(kernels)
        self.weights = nn.ParameterList(
            nn.Parameter(torch.empty(share, channels, kernel, 1)) for share, kernel in zip(shares, kernels)
        )
        for weight in self.weights:
            nn.init.kaiming_uniform_(weight, a=5**0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        margins = [(self.widest - w.shape[2]) // 2 for w in self.weights]
        weight = torch.cat([F.pad(w, (0, 0, m, m)) for w, m in zip(self.weights, margins)])
        return F.conv2d(x, weight, self.bias, padding=(self.widest // 2, 0))


class TemporalCnn(nn.Module):
    """Residual light curve of every wavelength -> features, by shared convolutions along time.

    Parameters
    ----------
    channels : int       C
    blocks : int         residual blocks
    time_bin : int       steps that the first, strided convolution takes together
    kernels : odd ints   lengths of the parallel kernels
    """

    def __init__(self, *, channels: int, blocks: int, time_bin: int, kernels: tuple[int, ...] = (3, 5, 7)):
        super().__init__()
        self.time_bin = time_bin
        self.stem = nn.Linear(2 * time_bin, channels)
        self.context = nn.Linear(time_bin * CONTEXT_CHANNELS, channels)
        self.convs = nn.ModuleList(MultiKernelConv(channels, kernels=tuple(kernels)) for _ in range(blocks))
        self.out_features = 3 * channels

    def forward(self, flux: Tensor, *, shape: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        """flux (B, T, W), shape, time, mask (B, T) -> (B, W, 3C): means over time, transit and slopes."""
        step = self.time_bin
        residual = clean(flux, mask[..., None])
        context = describe_time(shape, time, mask)
        # residual and residual × transit shape, `step` steps to a token: (B, T', 2·step, W)
        blocks = pad_to_multiple(torch.stack([residual, residual * context[..., :1]], dim=2), step)
        blocks = blocks.reshape(blocks.shape[0], -1, 2 * step, blocks.shape[-1])
        token_mask = patch_mask(mask, step)
        # (B, T', W, C)
        x = self.stem(blocks.transpose(2, 3)) + self.context(patch(context, step))[:, :, None]
        valid = token_mask[:, None, :, None].to(x.dtype)
        x = x.permute(0, 3, 1, 2)  # (B, C, T', W), channels last in memory
        for conv in self.convs:
            x = x + conv(F.gelu(x) * valid)
        return self._pool(F.gelu(x).permute(0, 2, 3, 1), patch(context[..., :2], step), token_mask)

    def _pool(self, x: Tensor, context: Tensor, token_mask: Tensor) -> Tensor:
        """x (B, T', W, C) -> (B, W, 3C)."""
        transit, edge = context.reshape(*context.shape[:2], self.time_bin, 2).mean(2).abs().unbind(-1)
        ways = torch.stack([torch.ones_like(transit), transit, edge], dim=1)
        ways = ways * token_mask[:, None].to(ways.dtype)
        ways = ways / ways.sum(-1, keepdim=True).clamp(min=1e-2)  # (B, 3, T')
        pooled = torch.bmm(ways.to(x.dtype), x.reshape(*x.shape[:2], -1))  # (B, 3, W·C)
        return pooled.unflatten(-1, x.shape[2:]).permute(0, 2, 1, 3).flatten(2)
