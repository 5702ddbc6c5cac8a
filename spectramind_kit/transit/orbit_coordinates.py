"""An orbit in the coordinates of the fit: ln W, with W half of the time during which z < ``reach``, and b^2.

    z^2 = b^2 + (reach^2 - b^2) sin^2(2 pi (t - t0)/P) / sin^2(2 pi W/P)
    (a/Rs)^2 = b^2 + (reach^2 - b^2)/sin^2(2 pi W/P)

``reach`` is 1 + r of the reference. The flux is nearly linear in both (also at b = 0, where it is even in b),
and W hardly correlates with b, whereas a/Rs and b trade against each other along a curve (docs/decisions.md
D11). That is what makes a second-order expansion of the likelihood honest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from spectramind_kit.transit.orbit import FAR, HOURS_PER_DAY, half_duration


class Separation(NamedTuple):
    """Of the centres, in stellar radii, and its derivatives; each (N, V, T)."""

    z: Tensor
    by_log_duration: Tensor
    by_impact2: Tensor
    by_mid_time: Tensor  # per h


@dataclass(frozen=True)
class OrbitCoordinates:
    """Orbits of N planets."""

    period_d: Tensor  # (N,) d
    reach: Tensor  # (N,) stellar radii
    log_duration: Tensor  # (N,) ln W, W in h
    impact2: Tensor  # (N,) b^2

    def with_reach(self, reach: Tensor) -> Self:
        """The same orbit, written for another radius of the planet."""
        axis, period, b2 = self.semi_major_axis, self.period_d, self.impact2
        width = half_duration(period_d=period, semi_major_axis=axis, impact2=b2, reach=reach)
        return replace(self, reach=reach, log_duration=width.log())

    @property
    def rate(self) -> Tensor:
        """Orbital phase per hour, radians."""
        return 2.0 * math.pi / (self.period_d * HOURS_PER_DAY)

    @property
    def width_angle(self) -> Tensor:
        """Orbital phase at which z = reach."""
        angle = 2.0 * math.pi * torch.exp(self.log_duration) / (self.period_d * HOURS_PER_DAY)
        return angle.clamp_max(0.5 * math.pi)

    @property
    def swing(self) -> Tensor:
        """sin^2 of `width_angle`."""
        return torch.sin(self.width_angle).square().clamp_min(1e-12)

    @property
    def axis2(self) -> Tensor:
        """(a/Rs)^2, at least 1."""
        return (self.impact2 + (self.reach.square() - self.impact2) / self.swing).clamp_min(1.0)

    @property
    def semi_major_axis(self) -> Tensor:
        """a/Rs."""
        return self.axis2.sqrt()

    def separation(self, since_mid_h: Tensor) -> Separation:
        """At times (N, V, T) from mid-transit; behind the star as `orbit.projected_separation`."""
        rate, angle, swing, impact2 = (
            v[:, None, None] for v in (self.rate, self.width_angle, self.swing, self.impact2)
        )
        span = self.reach.square()[:, None, None] - impact2
        width = torch.exp(self.log_duration)[:, None, None]
        theta = rate * since_mid_h
        moved = torch.sin(theta).square()
        z = (impact2 + span * moved / swing).clamp_min(1e-12).sqrt()
        half_inverse = 0.5 / z
        inverse_by_width = -width * rate * torch.sin(2.0 * angle) / swing.square()
        return Separation(
            z=torch.where(torch.cos(theta) < 0.0, z + FAR, z),
            by_log_duration=half_inverse * span * moved * inverse_by_width,
            by_impact2=half_inverse * (1.0 - moved / swing),
            by_mid_time=half_inverse * (-span / swing * rate) * torch.sin(2.0 * theta),
        )
