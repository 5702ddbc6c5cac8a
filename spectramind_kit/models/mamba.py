"""Mamba-1 and Mamba-2 blocks with the parameters, shapes and state dict of `mamba_ssm`'s modules.

A state dict of ``mamba_ssm.Mamba`` / ``mamba_ssm.Mamba2`` loads here with ``strict=True`` and the other way
round. Sources: Gu & Dao 2023 (arXiv 2312.00752), Dao & Gu 2024 (arXiv 2405.21060).

Beyond mamba_ssm: a ``mask`` of valid steps. A masked step gets dt = 0 and enters the convolution as zero, so
the state passes over it unchanged: padding on either side changes no valid output.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError, check_choice
from spectramind_kit.models.layers import valid_or_zero
from spectramind_kit.models.scan import (
    SCAN_BACKENDS,
    give_up_kernels,
    resolve_scan_backend,
    run_scan,
    scan_name,
)


def _draw_steps(count: int, *, dt_min: float, dt_max: float, floor: float) -> Tensor:
    """Step sizes, log-uniform between ``dt_min`` and ``dt_max``, through the inverse of softplus."""
    low, high = math.log(dt_min), math.log(dt_max)
    step = torch.exp(torch.rand(count) * (high - low) + low).clamp(min=floor)
    return step + torch.log(-torch.expm1(-step))


def _depthwise(channels: int, taps: int, *, bias: bool) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, taps, groups=channels, padding=taps - 1, bias=bias)


def _causal_conv(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """Depthwise convolution that looks back only, then SiLU. x (B, L, C) -> (B, L, C).

    Written as a sum over the few taps: on a CPU this is several times faster, backward above all, than a
    grouped convolution, and the result is the same.
    """
    length, taps = x.shape[1], conv.kernel_size[0]
    padded = F.pad(x, (0, 0, taps - 1, 0))
    weight = conv.weight[:, 0].to(x.dtype)  # (C, taps)
    y = padded[:, taps - 1 : taps - 1 + length] * weight[:, -1]
    for k in range(taps - 1):
        y = torch.addcmul(y, padded[:, k : k + length], weight[:, k])
    return F.silu(y if conv.bias is None else y + conv.bias.to(x.dtype))


class _Scanned(nn.Module):
    """What both blocks share: which backend runs, asked once per device type."""

    form = ""

    def __init__(self, scan_backend: str, chunk_size: int):
        super().__init__()
        check_choice(scan_backend, SCAN_BACKENDS, what="scan_backend")
        self.scan_backend, self.chunk_size = scan_backend, chunk_size
        self.scan_backend_used: dict[str, str] = {}
        if scan_backend == "mamba_ssm":  # fail when the model is built, not an hour later
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            resolve_scan_backend(scan_backend, form=self.form, device=device)

    def chosen_backends(self) -> dict[str, str]:
        """Known after the first forward pass."""
        return {scan_name(self.form, device): name for device, name in self.scan_backend_used.items()}

    def _scan(self, *inputs: Tensor) -> Tensor:
        """The scan of this form; kernels that fail after their probe are given up, unless asked for."""
        device, used = inputs[0].device, self.scan_backend_used
        if device.type not in used:
            used[device.type] = resolve_scan_backend(self.scan_backend, form=self.form, device=device)
        try:
            return run_scan(self.form, *inputs, backend=used[device.type], chunk=self.chunk_size)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a wheel built without a kernel says so at the call
            if used[device.type] == "torch" or self.scan_backend == "mamba_ssm":
                raise
            used[device.type] = give_up_kernels(error, form=self.form, device=device)
            return run_scan(self.form, *inputs, backend="torch", chunk=self.chunk_size)


class Mamba(_Scanned):
    """Mamba-1: a decay for every (channel, state) pair.

    Parameters are those of ``mamba_ssm.Mamba``; ``scan_backend`` and ``chunk_size`` are ours.
    """

    form = "mamba1"

    def __init__(  # noqa: PLR0913 -- the parameters of mamba_ssm.Mamba, whose weights it takes
        self,
        d_model: int,
        d_state: int = 16,
        *,
        d_conv: int = 4,
        expand: int = 2,
        dt_rank: int | str = "auto",
        dt_min: float = 1e-3,
        dt_max: float = 0.1,
        dt_init: str = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
        scan_backend: str = "auto",
        chunk_size: int = 16,
    ):
        super().__init__(scan_backend, chunk_size)
        self.d_model, self.d_state, self.d_inner = d_model, d_state, expand * d_model
        self.dt_rank = math.ceil(d_model / 16) if dt_rank == "auto" else int(dt_rank)
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=bias)
        self.conv1d = _depthwise(self.d_inner, d_conv, bias=conv_bias)
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner, bias=True)
        spread = self.dt_rank**-0.5 * dt_scale
        check_choice(dt_init, ("random", "constant"), what="dt_init")
        if dt_init == "random":
            nn.init.uniform_(self.dt_proj.weight, -spread, spread)
        else:
            nn.init.constant_(self.dt_proj.weight, spread)
        steps = _draw_steps(self.d_inner, dt_min=dt_min, dt_max=dt_max, floor=dt_init_floor)
        with torch.no_grad():
            self.dt_proj.bias.copy_(steps)
        rates = torch.log(torch.arange(1, d_state + 1, dtype=torch.float32))
        self.A_log = nn.Parameter(rates.repeat(self.d_inner, 1))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)

    def forward(self, hidden: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """hidden (B, L, d_model), mask (B, L) True where valid -> (B, L, d_model)."""
        x, z = self.in_proj(hidden).chunk(2, dim=-1)
        x = _causal_conv(valid_or_zero(x, mask), self.conv1d)
        dt, b, c = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        with torch.autocast(device_type=x.device.type, enabled=False):
            wide = self.A_log.dtype
            dt = F.softplus(F.linear(dt.to(wide), self.dt_proj.weight, self.dt_proj.bias))
            dt, a = valid_or_zero(dt, mask), -torch.exp(self.A_log)
            y = self._scan(x.to(wide), dt, a, b.to(wide), c.to(wide), self.D) * F.silu(z.to(wide))
        return self.out_proj(y.to(hidden.dtype))


class GatedRmsNorm(nn.Module):
    """RMS norm of y·silu(z) (or of y, then gated), as ``mamba_ssm``'s RMSNormGated."""

    def __init__(self, width: int, *, groups: int = 1, before_gate: bool = False, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.groups, self.before_gate, self.eps = groups, before_gate, eps

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """y, z (..., width) in float32 or wider -> the same shape."""
        gate = F.silu(z)
        if not self.before_gate:
            y = y * gate
        blocks = y.unflatten(-1, (self.groups, -1))
        blocks = blocks * torch.rsqrt(blocks.square().mean(-1, keepdim=True) + self.eps)
        y = blocks.flatten(-2) * self.weight
        return y * gate if self.before_gate else y


class Mamba2(_Scanned):
    """Mamba-2: a decay per head, so that the scan becomes matrix products.

    Parameters are those of ``mamba_ssm.Mamba2``; ``scan_backend`` is ours.
    """

    form = "mamba2"

    def __init__(  # noqa: PLR0913 -- the parameters of mamba_ssm.Mamba2, whose weights it takes
        self,
        d_model: int,
        d_state: int = 128,
        *,
        d_conv: int = 4,
        expand: int = 2,
        headdim: int = 64,
        ngroups: int = 1,
        A_init_range: tuple[float, float] = (1.0, 16.0),
        rmsnorm: bool = True,
        norm_before_gate: bool = False,
        dt_min: float = 1e-3,
        dt_max: float = 0.1,
        dt_init_floor: float = 1e-4,
        dt_limit: tuple[float, float] = (0.0, math.inf),
        bias: bool = False,
        conv_bias: bool = True,
        chunk_size: int = 32,
        scan_backend: str = "auto",
    ):
        super().__init__(scan_backend, chunk_size)
        self.d_model, self.d_state, self.d_inner = d_model, d_state, expand * d_model
        self.headdim, self.ngroups, self.dt_limit = headdim, ngroups, tuple(dt_limit)
        if self.d_inner % headdim or (self.d_inner // headdim) % ngroups:
            raise ConfigError(
                "heads do not divide the width",
                where="Mamba2",
                expected="expand·d_model a multiple of headdim, heads a multiple of ngroups",
                found=f"d_inner {self.d_inner}, headdim {headdim}, ngroups {ngroups}",
            )
        self.nheads = self.d_inner // headdim
        conv_dim = self.d_inner + 2 * ngroups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + conv_dim + self.nheads, bias=bias)
        self.conv1d = _depthwise(conv_dim, d_conv, bias=conv_bias)
        steps = _draw_steps(self.nheads, dt_min=dt_min, dt_max=dt_max, floor=dt_init_floor)
        self.dt_bias = nn.Parameter(steps)
        self.A_log = nn.Parameter(torch.log(torch.empty(self.nheads).uniform_(*A_init_range)))
        self.D = nn.Parameter(torch.ones(self.nheads))
        self.norm = None
        if rmsnorm:
            self.norm = GatedRmsNorm(self.d_inner, groups=ngroups, before_gate=norm_before_gate)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)

    def forward(self, hidden: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """hidden (B, L, d_model), mask (B, L) True where valid -> (B, L, d_model)."""
        shared = self.ngroups * self.d_state
        sizes = [self.d_inner, self.d_inner + 2 * shared, self.nheads]
        z, xbc, dt = self.in_proj(hidden).split(sizes, dim=-1)
        xbc = _causal_conv(valid_or_zero(xbc, mask), self.conv1d)
        with torch.autocast(device_type=xbc.device.type, enabled=False):
            wide = self.A_log.dtype
            x, b, c = xbc.to(wide).split([self.d_inner, shared, shared], dim=-1)
            x = x.unflatten(-1, (self.nheads, self.headdim))
            b, c = (t.unflatten(-1, (self.ngroups, self.d_state)) for t in (b, c))
            dt = F.softplus(dt.to(wide) + self.dt_bias)
            if self.dt_limit != (0.0, math.inf):
                dt = dt.clamp(*self.dt_limit)
            y = self._scan(x, valid_or_zero(dt, mask), -torch.exp(self.A_log), b, c, self.D).flatten(-2)
            y = self.norm(y, z.to(wide)) if self.norm is not None else y * F.silu(z.to(wide))
        return self.out_proj(y.to(hidden.dtype))
