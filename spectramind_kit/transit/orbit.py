"""Circular orbits: projected separation, contact times, durations.

Units: times in hours from the start of the visit, period in days, semi-major axis in stellar radii (a/Rs).
The competition's planets all have e = 0; near transit an eccentric orbit is a circular one with another a/Rs,
which is fitted anyway.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.transit.limb_darkening import Value, as_double

HOURS_PER_DAY = 24.0
FAR = 10.0  # stellar radii added behind the star: larger than 1 + r for any planet, so no transit there


class ContactTimes(NamedTuple):
    """Hours. ``second`` and ``third`` are NaN for a grazing transit, all are NaN for none."""

    first: Tensor
    second: Tensor
    third: Tensor
    fourth: Tensor


def impact_parameter(semi_major_axis: Value, inclination_deg: Value) -> Tensor:
    """b = (a/Rs) cos i, stellar radii."""
    return as_double(semi_major_axis) * torch.cos(torch.deg2rad(as_double(inclination_deg)))


def _cos2_inclination(a: Tensor, inclination_deg, impact) -> Tensor:
    if (inclination_deg is None) == (impact is None):
        raise DataError(
            "an orbit needs its inclination or its impact parameter, and not both",
            where="transit.orbit",
            fix="pass exactly one of inclination_deg, impact_parameter",
        )
    if impact is None:
        return torch.cos(torch.deg2rad(as_double(inclination_deg, a))).square()
    return (as_double(impact, a) / a).square()


def projected_separation(
    time_h: Tensor,
    *,
    mid_transit_time: Value,
    period_d: Value,
    semi_major_axis: Value,
    inclination_deg: Value | None = None,
    impact_parameter: Value | None = None,
) -> Tensor:
    """Sky-projected distance of the planet from the star's centre, in stellar radii.

    z = a sqrt(sin^2 p + cos^2 i cos^2 p), p = 2 pi (t - t0)/P. Behind the star (cos p < 0) the planet hides
    nothing: 10 radii are added there, so that `transit_flux` gives 1 without another mask. All inputs
    broadcast. The gradient is finite everywhere (zero where z = 0, where z has a kink).
    """
    time_h = as_double(time_h)
    t0, period, a = (as_double(value, time_h) for value in (mid_transit_time, period_d, semi_major_axis))
    cos2_i = _cos2_inclination(a, inclination_deg, impact_parameter)
    phase = (2.0 * math.pi / HOURS_PER_DAY) * (time_h - t0) / period
    sin2 = torch.sin(phase).square()
    z = a * (sin2 + cos2_i * (1.0 - sin2)).clamp_min(1e-24).sqrt()
    return torch.where(torch.cos(phase) < 0.0, z + FAR, z)


def half_duration(
    *, period_d: Value, semi_major_axis: Value, impact2: Value, reach: Value, least_swing: float = 1e-4
) -> Tensor:
    """Half of the time (h) during which z < ``reach``, from b^2: at most a quarter of the period.

    ``least_swing`` bounds sin^2 of the orbital phase from below: a fit needs a duration also where the planet
    never comes so near.
    """
    reach = as_double(reach)
    period, a, b2 = (as_double(value, reach) for value in (period_d, semi_major_axis, impact2))
    swing = (reach.square() - b2) / (a.square() - b2).clamp_min(1e-9)
    return torch.asin(swing.clamp(least_swing, 1.0).sqrt()) * period * (HOURS_PER_DAY / (2.0 * math.pi))


def contact_times(
    *,
    mid_transit_time: Value,
    period_d: Value,
    semi_major_axis: Value,
    radius_ratio: Value,
    inclination_deg: Value | None = None,
    impact_parameter: Value | None = None,
) -> ContactTimes:
    """First to fourth contact, hours; inputs broadcast (Seager & Mallen-Ornelas 2003, circular orbit)."""
    t0 = as_double(mid_transit_time)
    period, a, r = (as_double(value, t0) for value in (period_d, semi_major_axis, radius_ratio))
    impact2 = _cos2_inclination(a, inclination_deg, impact_parameter) * a.square()

    def half(reach: Tensor) -> Tensor:
        reached = (reach > 0.0) & (reach.square() >= impact2)
        orbit = dict(period_d=period, semi_major_axis=a, impact2=impact2)
        return torch.where(reached, half_duration(**orbit, reach=reach, least_swing=0.0), math.nan)

    outer, inner = half(1.0 + r), half(1.0 - r)
    return ContactTimes(t0 - outer, t0 - inner, t0 + inner, t0 + outer)


def transit_duration(
    *,
    period_d: Value,
    semi_major_axis: Value,
    radius_ratio: Value,
    inclination_deg: Value | None = None,
    impact_parameter: Value | None = None,
) -> Tensor:
    """T14, first to fourth contact, hours; NaN where there is no transit."""
    contacts = contact_times(
        mid_transit_time=0.0,
        period_d=period_d,
        semi_major_axis=semi_major_axis,
        radius_ratio=radius_ratio,
        inclination_deg=inclination_deg,
        impact_parameter=impact_parameter,
    )
    return contacts.fourth - contacts.first
