"""Readings: numbers that are linear in the fluxes of a wavelength bin, whatever decides on the weights.

A depth is a difference of fluxes to a few parts in a thousand. A softmax cannot subtract the star's level,
and layers that bend their input lose those digits; so the values are the fluxes themselves and the weights
are signed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectramind_kit.models.layers import widen
from spectramind_kit.models.temporal import N_MOMENTS, time_basis


class Fused(NamedTuple):
    """What a fusion gives."""

    tokens: Tensor  # (B, 1 + W, D)
    readings: Tensor | None  # (B, 1 + W, R), in the unit of the fluxes
    attention: Tensor | None  # see the fusion


class FluxSteps(NamedTuple):
    """The fluxes of all bins, step by step, as in `models.batch.CONTRACT`; what is masked or missing is 0."""

    values: Tensor  # (B, T, 1 + W)
    weight: Tensor  # (B, T)
    mask: Tensor  # (B, T)
    shape: Tensor  # (B, T)
    time: Tensor  # (B, T)

    def without_fgs1(self) -> FluxSteps:
        """FGS1's curve replaced by the mean of the others."""
        airs = self.values[..., 1:]
        return self._replace(values=torch.cat([airs.mean(-1, keepdim=True), airs], dim=-1))


def flux_steps(batch) -> FluxSteps:
    """Of a batch."""
    values = torch.cat([batch["fgs1"][..., None], batch["airs"]], dim=-1)
    known = batch["mask"][..., None] & torch.isfinite(values)
    values = torch.where(known, values, torch.zeros_like(values))
    weight = torch.where(batch["mask"], batch["weight"], torch.zeros_like(batch["weight"]))
    return FluxSteps(values, weight, batch["mask"], batch["transit_shape"], batch["time"])


class AttentiveReadout(nn.Module):
    """Every bin asks, time's tokens answer: signed weights over the steps, R of them per bin.

    weight of a step = query · key × share of the exposures in it. Keys are those of the token that the step
    belongs to, so tokens of several steps weigh them alike.
    """

    KEY = 8  # width of a query

    def __init__(self, width: int, *, readings: int):
        super().__init__()
        self.readings = readings
        self.query = nn.Linear(width, readings * self.KEY)
        self.key = nn.Linear(width, readings * self.KEY)

    def forward(self, bins: Tensor, tokens: Tensor, flux: FluxSteps) -> tuple[Tensor, Tensor]:
        """bins (B, 1 + W, D), tokens (B, L, D) -> readings (B, 1 + W, R), weights (B, R, 1 + W, L)."""
        q, k = (f(t).unflatten(-1, (self.readings, -1)) for f, t in ((self.query, bins), (self.key, tokens)))
        signed = torch.einsum("bwrd,blrd->brwl", q, k) * self.KEY**-0.5
        with torch.autocast(device_type=bins.device.type, enabled=False):
            values = widen(flux.values) * flux.weight[..., None]
            values = _sum_steps(values, tokens.shape[1])
            return torch.einsum("brwl,blw->bwr", widen(signed), values), signed


def _sum_steps(values: Tensor, tokens: int) -> Tensor:
    """(B, T, W) -> (B, L, W), sums over the steps of each token, which all hold as many steps."""
    steps = -(-values.shape[1] // tokens)
    missing = steps * tokens - values.shape[1]
    if missing:
        values = torch.cat([values, values.new_zeros(values.shape[0], missing, values.shape[2])], dim=1)
    return values.unflatten(1, (tokens, steps)).sum(2)


class FixedReadout(nn.Module):
    """Projections on a few functions of time that are the same for every bin and planet, mixed per bin.

    What the fusions without attention have: the weights over time do not depend on what FGS1 shows.
    """

    def __init__(self, width: int, *, readings: int):
        super().__init__()
        self.readings = readings
        self.mix = nn.Linear(width, readings * N_MOMENTS)

    def forward(self, bins: Tensor, flux: FluxSteps) -> Tensor:
        """bins (B, 1 + W, D) -> (B, 1 + W, R)."""
        mix = self.mix(bins).unflatten(-1, (self.readings, N_MOMENTS))
        with torch.autocast(device_type=bins.device.type, enabled=False):
            basis = time_basis(widen(flux.shape), widen(flux.time), flux.mask) * flux.weight[:, None]
            moments = torch.bmm(basis, widen(flux.values)).transpose(1, 2)
            return torch.einsum("bwrm,bwm->bwr", widen(mix), moments)
