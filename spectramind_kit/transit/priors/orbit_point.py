"""Orbits where a likelihood is linearised, beside what the star table says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates

_SOLAR_AXIS = 4.2083  # (G M_sun (1 d)^2 / 4 pi^2)^(1/3) / R_sun


@dataclass(frozen=True)
class OrbitPoint(OrbitCoordinates):
    """N planets, or one."""

    catalogue_axis: Tensor  # (N,) a/Rs
    catalogue_impact: Tensor  # (N,) b
    kepler_axis: Tensor  # (N,) a/Rs from Ms, Rs, P; equal to catalogue_axis where the table lacks them

    @classmethod
    def stacked(cls, orbits: Sequence[Mapping[str, float]]) -> OrbitPoint:
        """Several planets', from plain numbers (`DepthMeasurement.orbit`)."""
        columns = {f.name: [float(orbit[f.name]) for orbit in orbits] for f in fields(cls)}
        return cls(**{name: torch.tensor(values, dtype=torch.float64) for name, values in columns.items()})

    def to_mapping(self) -> dict[str, float]:
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}

    def at(self, orbit: OrbitCoordinates) -> OrbitPoint:
        """The same star table, linearised at another orbit."""
        return replace(self, **{f.name: getattr(orbit, f.name) for f in fields(OrbitCoordinates)})

    @property
    def log_axis(self) -> Tensor:
        """ln(a/Rs)."""
        return 0.5 * self.axis2.log()

    def log_axis_slope(self) -> Tensor:
        """d ln(a/Rs) / d(ln W, b^2), (..., 2)."""
        angle, swing = self.width_angle, self.swing
        by_width = -(self.reach.square() - self.impact2) * angle * torch.sin(2.0 * angle) / swing.square()
        return torch.stack([by_width, 1.0 - 1.0 / swing], dim=-1) / (2.0 * self.axis2)[..., None]


def kepler_axis(star: Mapping[str, float], period_d: float) -> float | None:
    """a/Rs from Kepler's third law, or None where the table lacks mass or radius."""
    try:
        mass, radius = float(star["Ms"]), float(star["Rs"])
    except (KeyError, TypeError, ValueError):
        return None
    if not (0.01 < mass < 100.0 and 0.01 < radius < 1000.0):
        return None
    return _SOLAR_AXIS * (mass * period_d**2) ** (1.0 / 3.0) / radius
