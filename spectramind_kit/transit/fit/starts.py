"""Where a fit begins: a search over mid-transit time, duration and impact parameter, linear in everything
else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.parameters import time_basis
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.limb_darkening import transit_flux
from spectramind_kit.transit.orbit import HOURS_PER_DAY
from spectramind_kit.transit.settings import AnchorSettings

_DURATION_FACTORS = (0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.45, 1.8, 2.3)
_IMPACTS = (0.15, 0.6, 0.85)
_COARSE_POINTS = 64
_TIME_STEP_H = 0.12
_RADIUS = 0.11
_DIP_POINTS = 400  # of the table of dips: the search needs their shape to a per cent


@dataclass(frozen=True)
class Start:
    """A place to begin: per-visit mid-transit times, half duration (first contact), b^2, depth, gain in
    chi^2."""

    mid_times: tuple[float, ...]
    half_duration_h: float
    impact2: float
    depth: float
    gain: float


@dataclass(frozen=True)
class CatalogueOrbit:
    """The star table's orbit, cleaned: period d, a/Rs, impact parameter, and whether each was usable."""

    period_d: float
    semi_major_axis: float
    impact_parameter: float
    complete: bool

    @classmethod
    def from_star(cls, star) -> CatalogueOrbit:
        def number(key: str, low: float, high: float) -> float | None:
            try:
                value = float(star[key])
            except (KeyError, TypeError, ValueError):
                return None
            return value if low <= value <= high else None

        period, axis, tilt = number("P", 0.2, 5000.0), number("sma", 1.5, 2000.0), number("i", 0.0, 180.0)
        impact = None if axis is None or tilt is None else abs(axis * math.cos(math.radians(tilt)))
        complete = None not in (period, axis, impact)
        # medians of the competition's table stand in for what is missing
        return cls(
            period_d=period or 5.2,
            semi_major_axis=axis or 10.5,
            impact_parameter=min(impact if impact is not None else 0.27, 0.95),
            complete=complete,
        )


def catalogue_half_duration(orbit: CatalogueOrbit, impact2: float, reach: float) -> float:
    """Half of the time (h) during which z < reach."""
    swing = (reach**2 - impact2) / max(orbit.semi_major_axis**2 - impact2, 1e-6)
    return math.asin(math.sqrt(min(max(swing, 1e-4), 1.0))) * orbit.period_d * HOURS_PER_DAY / (2.0 * math.pi)


def _coarse(visit: VisitData) -> tuple[Tensor, Tensor, Tensor]:
    """Time (t,), relative flux (t, 2) and weight (t, 2) of FGS1 and of all AIRS bands, at most about 64
    points."""
    weight = visit.weight
    level = (weight * visit.flux).sum(0) / weight.sum(0).clamp_min(1e-300)
    relative, w = visit.flux / level.clamp_min(1e-9), weight * level.square()
    airs_w = w[:, 1:].sum(1)
    flux = torch.stack([relative[:, 0], (w[:, 1:] * relative[:, 1:]).sum(1) / airs_w.clamp_min(1e-300)], 1)
    w = torch.stack([w[:, 0], airs_w], 1)
    step = max(1, len(visit.time) // _COARSE_POINTS)
    n = len(visit.time) // step
    # the median of a group, not its mean: a glitch must not look like a transit; nor must a point that is
    # missing (docs/decisions.md D26)
    shape = (n, step, 2)
    seen = flux.masked_fill(w <= 0.0, math.nan)[: n * step].reshape(shape).nanmedian(1).values
    return (
        visit.time[: n * step].reshape(n, step).mean(1),
        seen.nan_to_num(nan=1.0),
        w[: n * step].reshape(shape).sum(1),
    )


@lru_cache(maxsize=1)
def _dip_table() -> Tensor:
    """(relative flux - 1)/depth (impacts, points) from mid-transit to first contact, which is the last but
    one point."""
    moved = torch.linspace(0.0, 1.0, _DIP_POINTS + 1, dtype=torch.float64)
    impact2 = torch.tensor(_IMPACTS, dtype=torch.float64).square()[:, None]
    z = (impact2 + ((1.0 + _RADIUS) ** 2 - impact2) * moved.square()).clamp_min(1e-12).sqrt()
    dip = (transit_flux(z, _RADIUS, 0.25, 0.13, nodes=6) - 1.0) / _RADIUS**2
    return torch.cat([dip, torch.zeros_like(dip[:, :1])], dim=1)


def _dips(moved: Tensor) -> Tensor:
    """Dips at distances (C, S, t) from mid-transit in units of the half duration, S = impacts x durations,
    from the table."""
    table = _dip_table()
    place = (moved * _DIP_POINTS).clamp_max(_DIP_POINTS)
    low = place.long()
    row = (
        torch.arange(len(_IMPACTS)).repeat_interleave(len(_DURATION_FACTORS))[None, :, None] * table.shape[1]
    )
    left, right = table.take(row + low), table.take(row + low + 1)
    return torch.lerp(left, right, place - low)


def find_starts(data: Sequence[VisitData], orbit: CatalogueOrbit, *, settings: AnchorSettings) -> list[Start]:
    """The best ``settings.starts`` distinct starts, best first.

    For each duration and impact parameter on a grid the mid-transit time of every visit is the one with the
    largest gain in chi^2 of a dip (of positive depth) over a star with a quadratic drift of limited size.
    """
    reach = 1.0 + _RADIUS
    shapes = [
        (catalogue_half_duration(orbit, b * b, reach) * factor, b * b)
        for b in _IMPACTS
        for factor in _DURATION_FACTORS
    ]
    shapes = [(min(max(w, 0.2), 12.0), b2) for w, b2 in shapes]
    width = torch.tensor([s[0] for s in shapes], dtype=torch.float64)
    impact2 = torch.tensor([s[1] for s in shapes], dtype=torch.float64)
    gains, times, depths = [], [], []
    for visit in data:
        time, flux, weight = _coarse(visit)
        low, high = float(time[0]), float(time[-1])
        centres = torch.arange(low - 0.3, high + 0.3, _TIME_STEP_H, dtype=torch.float64)
        dip = _dips((time[None, None, :] - centres[:, None, None]).abs() / width[None, :, None])  # (C, S, t)
        gain, depth = (
            torch.zeros(dip.shape[:2], dtype=torch.float64),
            torch.zeros(dip.shape[:2], dtype=torch.float64),
        )
        basis = torch.cat(
            [torch.ones(1, len(time), dtype=torch.float64), time_basis(time, 2, start=time[0], end=time[-1])]
        )
        prior = torch.diag(
            torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64) / (2.0 * settings.drift_scatter) ** 2
        )
        sensors = [k for k in range(2) if bool((weight[:, k] > 0.0).any())]
        for sensor in sensors:
            w = weight[:, sensor]
            gram = (basis * w) @ basis.T + prior
            solve = torch.linalg.solve(gram, basis * w)  # (3, t)
            y = flux[:, sensor] - (solve @ flux[:, sensor]) @ basis
            clean = dip - (dip @ solve.T) @ basis
            power = (clean * w * dip).sum(-1).clamp_min(1e-12)
            amplitude = (dip * w) @ y / power
            gain += torch.where(amplitude > 0, amplitude.square() * power, torch.zeros_like(power))
            depth += amplitude / len(sensors)
        best = gain.max(0)
        gains.append(best.values)
        times.append(centres[best.indices])
        depths.append(depth.gather(0, best.indices[None])[0])
    total = torch.stack(gains).sum(0)
    expected = [catalogue_half_duration(orbit, float(b2), reach) for b2 in impact2]
    # a mild preference for the table's duration decides only where the data do not
    pull = torch.tensor(
        [(math.log(float(w) / e) / (2.0 * settings.axis_scatter)) ** 2 for w, e in zip(width, expected)]
    )
    ranking = torch.argsort(total - pull.clamp_max(60.0), descending=True)
    chosen: list[Start] = []
    for k in ranking.tolist():
        start = Start(
            mid_times=tuple(float(t[k]) for t in times),
            half_duration_h=float(width[k]),
            impact2=float(impact2[k]),
            depth=float(max(torch.stack(depths)[:, k].mean(), 2e-4)),
            gain=float(total[k]),
        )
        distinct = all(
            abs(start.impact2 - c.impact2) > 0.05
            or abs(math.log(start.half_duration_h / c.half_duration_h)) > 0.2
            or max(abs(a - b) for a, b in zip(start.mid_times, c.mid_times)) > 0.4
            for c in chosen
        )
        if distinct:
            chosen.append(start)
        if len(chosen) >= settings.starts:
            break
    return chosen
