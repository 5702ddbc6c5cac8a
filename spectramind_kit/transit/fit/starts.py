"""Where a fit begins: a search over mid-transit time, duration and impact parameter, linear in the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from spectramind_kit.transit.fit.planet_case import TYPICAL_RADIUS, CatalogueOrbit
from spectramind_kit.transit.likelihood.parameters import AIRS, time_basis
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.limb_darkening import transit_flux
from spectramind_kit.transit.settings import AnchorSettings

_DURATION_FACTORS = (0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.45, 1.8, 2.3)
_IMPACTS = (0.15, 0.6, 0.85)
_DURATIONS_H = (0.2, 12.0)
_COARSE_POINTS = 64
_TIME_STEP_H, _BEYOND_THE_ENDS_H = 0.12, 0.3
_DIP_POINTS = 400  # of the table of dips: the search needs their shape to a per cent
_LEAST_DEPTH = 2e-4
_MOST_PULL = 60.0  # of chi^2, by the table's duration
_DISTINCT = dict(impact2=0.05, log_duration=0.2, mid_time_h=0.4)


@dataclass(frozen=True)
class Start:
    """A place to begin."""

    mid_times: tuple[float, ...]  # (V,) h
    half_duration_h: float  # to first contact
    impact2: float  # b^2
    depth: float

    def differs(self, other: Start) -> bool:
        return (
            abs(self.impact2 - other.impact2) > _DISTINCT["impact2"]
            or abs(math.log(self.half_duration_h / other.half_duration_h)) > _DISTINCT["log_duration"]
            or max(abs(a - b) for a, b in zip(self.mid_times, other.mid_times)) > _DISTINCT["mid_time_h"]
        )


def find_starts(data: Sequence[VisitData], orbit: CatalogueOrbit, *, settings: AnchorSettings) -> list[Start]:
    """The best ``settings.starts`` distinct starts, best first.

    For each duration and impact parameter on a grid of S the mid-transit time of every visit is the one with
    the largest gain in chi^2 of a dip (of positive depth) over a star with a quadratic drift of limited size.
    """
    impact2 = torch.tensor(_IMPACTS, dtype=torch.float64).square().repeat_interleave(len(_DURATION_FACTORS))
    expected = orbit.half_duration(impact2)
    factors = torch.tensor(_DURATION_FACTORS, dtype=torch.float64).repeat(len(_IMPACTS))
    width = (expected * factors).clamp(*_DURATIONS_H)
    gains, times, depths = (torch.stack(v) for v in zip(*(_search(visit, width, settings) for visit in data)))
    gain, depth = gains.sum(0), depths.mean(0).clamp_min(_LEAST_DEPTH)
    # a mild preference for the table's duration decides only where the data do not
    pull = ((width / expected).log() / (2.0 * settings.axis_scatter)).square()
    chosen: list[Start] = []
    for k in torch.argsort(gain - pull.clamp_max(_MOST_PULL), descending=True).tolist():
        start = Start(tuple(times[:, k].tolist()), float(width[k]), float(impact2[k]), float(depth[k]))
        if all(start.differs(other) for other in chosen):
            chosen.append(start)
        if len(chosen) >= settings.starts:
            break
    return chosen


def _search(visit: VisitData, width: Tensor, settings: AnchorSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Of each shape of a dip (S,): largest gain in chi^2, the mid-transit time that has it, and its depth."""
    time, flux, weight = _coarse(visit)
    first, last = float(time[0]) - _BEYOND_THE_ENDS_H, float(time[-1]) + _BEYOND_THE_ENDS_H
    centres = torch.arange(first, last, _TIME_STEP_H, dtype=torch.float64)
    dip = _dips((time[None, None, :] - centres[:, None, None]).abs() / width[None, :, None])  # (C, S, t)
    basis = torch.cat([torch.ones_like(time)[None], time_basis(time, 2, start=time[0], end=time[-1])])
    degrees = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    prior = torch.diag(degrees / (2.0 * settings.drift_scatter) ** 2)
    gain, depth = time.new_zeros(dip.shape[:2]), time.new_zeros(dip.shape[:2])
    seen = (weight > 0.0).any(0)
    for flux_of, w in zip(flux.T[seen], weight.T[seen]):  # FGS1 and AIRS-CH0
        solve = torch.linalg.solve((basis * w) @ basis.T + prior, basis * w)  # (3, t)
        y = flux_of - (solve @ flux_of) @ basis
        clean = dip - (dip @ solve.T) @ basis
        power = (clean * w * dip).sum(-1).clamp_min(1e-12)
        amplitude = (dip * w) @ y / power
        gain += torch.where(amplitude > 0, amplitude.square() * power, torch.zeros_like(power))
        depth += amplitude / int(seen.sum())
    best = gain.max(0)
    return best.values, centres[best.indices], depth.gather(0, best.indices[None])[0]


def _coarse(visit: VisitData) -> tuple[Tensor, Tensor, Tensor]:
    """Time (t,), relative flux (t, 2) and weight (t, 2) of FGS1 and of all AIRS bands, at about 64 points."""
    weight = visit.weight
    level = (weight * visit.flux).sum(0) / weight.sum(0).clamp_min(1e-300)
    relative, w = visit.flux / level.clamp_min(1e-9), weight * level.square()
    airs_w = w[:, AIRS].sum(1)
    airs_flux = (w[:, AIRS] * relative[:, AIRS]).sum(1) / airs_w.clamp_min(1e-300)
    flux, w = torch.stack([relative[:, 0], airs_flux], 1), torch.stack([w[:, 0], airs_w], 1)
    step = max(1, len(visit.time) // _COARSE_POINTS)
    n = len(visit.time) // step

    def grouped(value: Tensor) -> Tensor:
        return value[: n * step].unflatten(0, (n, step))

    # the median of a group, not its mean: a glitch must not look like a transit; nor must a point that is
    # missing (docs/decisions.md D26)
    seen = grouped(flux.masked_fill(w <= 0.0, math.nan)).nanmedian(1).values
    return grouped(visit.time).mean(1), seen.nan_to_num(nan=1.0), grouped(w).sum(1)


@lru_cache(maxsize=1)
def _dip_table() -> Tensor:
    """(relative flux - 1)/depth (impacts, points) from mid-transit to first contact (last but one)."""
    moved = torch.linspace(0.0, 1.0, _DIP_POINTS + 1, dtype=torch.float64)
    impact2 = torch.tensor(_IMPACTS, dtype=torch.float64).square()[:, None]
    z = (impact2 + ((1.0 + TYPICAL_RADIUS) ** 2 - impact2) * moved.square()).clamp_min(1e-12).sqrt()
    dip = (transit_flux(z, TYPICAL_RADIUS, 0.25, 0.13, nodes=6) - 1.0) / TYPICAL_RADIUS**2
    return torch.cat([dip, torch.zeros_like(dip[:, :1])], dim=1)


def _dips(moved: Tensor) -> Tensor:
    """Dips at distances (C, S, t) from mid-transit in units of the half duration, from the table."""
    table = _dip_table()
    place = (moved * _DIP_POINTS).clamp_max(_DIP_POINTS)
    low = place.long()
    impact = torch.arange(len(_IMPACTS)).repeat_interleave(len(_DURATION_FACTORS))
    row = impact[None, :, None] * table.shape[1]
    return torch.lerp(table.take(row + low), table.take(row + low + 1), place - low)
