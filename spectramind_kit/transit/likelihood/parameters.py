"""Names and states of everything that the light-curve model depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spectramind_kit.transit.orbit import HOURS_PER_DAY

if TYPE_CHECKING:
    pass


DEPTH_FLOOR = 1e-5  # the reference depth never goes below it (the linearised depth may)


LIMB_DEGREE = 2  # u1 and u2 are parabolas in wavelength in AIRS-CH0


_TERMS = ("", "_slope", "_curve")


LIMB_NAMES = ("fgs1_u1", "fgs1_u2", *(f"airs_u1{t}" for t in _TERMS), *(f"airs_u2{t}" for t in _TERMS))


ORBIT_NAMES = ("log_duration", "impact2")


SHARED = len(ORBIT_NAMES) + len(LIMB_NAMES)  # one set for all visits of a planet


@dataclass(frozen=True)
class Grid:
    """The wavelengths of a fit, W bins, the first is FGS1. Legendre polynomials over AIRS-CH0, whose range is
    [-1, 1]."""

    wavelength_um: Tensor
    x: Tensor  # (W - 1,)
    drift_basis: Tensor  # (Q, W - 1)
    limb_basis: Tensor  # (LIMB_DEGREE + 1, W - 1)

    @classmethod
    def build(cls, wavelength_um: Tensor, *, degree: int, low: float, high: float) -> Grid:
        x = 2.0 * (wavelength_um[1:] - low) / (high - low) - 1.0
        return cls(wavelength_um, x, legendre(x, degree), legendre(x, LIMB_DEGREE))


@dataclass(frozen=True)
class PlanetState:
    """Everything the model depends on but the star's level, which is eliminated in every wavelength."""

    period_d: Tensor  # (N,)
    reach: Tensor  # (N,)
    log_duration: Tensor  # (N,)
    impact2: Tensor  # (N,)
    limb: Tensor  # (N, 8) in the order of LIMB_NAMES
    depth: Tensor  # (N, W)
    mid_time: Tensor  # (N, V)
    time_offset: Tensor  # (N, V) FGS1 minus AIRS
    airs_drift: Tensor  # (N, V, A, Q)
    fgs1_drift: Tensor  # (N, V, A_f)

    @property
    def rate(self) -> Tensor:
        """Orbital phase per hour, radians."""
        return 2.0 * math.pi / (self.period_d * HOURS_PER_DAY)

    @property
    def width_angle(self) -> Tensor:
        """Orbital phase of first contact."""
        return (self.rate * torch.exp(self.log_duration)).clamp_max(0.5 * math.pi)

    @property
    def semi_major_axis(self) -> Tensor:
        swing = torch.sin(self.width_angle).square().clamp_min(1e-12)
        return (self.impact2 + (self.reach.square() - self.impact2) / swing).clamp_min(1.0).sqrt()

    def limb_darkening(self, grid: Grid) -> tuple[Tensor, Tensor]:
        """u1, u2 (..., W), FGS1 first."""
        fgs1, airs = (
            self.limb[..., :2],
            self.limb[..., 2:].unflatten(-1, (2, LIMB_DEGREE + 1)) @ grid.limb_basis,
        )
        u1, u2 = (torch.cat([fgs1[..., k : k + 1], airs[..., k, :]], dim=-1) for k in range(2))
        return u1, u2


def nuisances(state: PlanetState) -> Tensor:
    """All nuisances as one vector (..., K): orbit, limb darkening, then visit by visit `visit_names`."""
    own = torch.cat(
        [
            state.mid_time[..., None],
            state.time_offset[..., None],
            state.airs_drift.flatten(-2),
            state.fgs1_drift,
        ],
        dim=-1,
    )
    return torch.cat(
        [state.log_duration[..., None], state.impact2[..., None], state.limb, own.flatten(-2)], dim=-1
    )


def visit_names(visit: int, *, airs_degree: int, lambda_terms: int, fgs1_degree: int) -> list[str]:
    """Names of the nuisances that belong to one visit, in the order of the columns."""
    return (
        [f"mid_time_{visit}", f"time_offset_{visit}"]
        + [f"airs_drift_{visit}_{a + 1}_{q}" for a in range(airs_degree) for q in range(lambda_terms)]
        + [f"fgs1_drift_{visit}_{a + 1}" for a in range(fgs1_degree)]
    )


def legendre(x: Tensor, degree: int) -> Tensor:
    """Legendre polynomials 0..degree at x (...), (degree + 1, ...)."""
    rows = [torch.ones_like(x), x]
    for n in range(1, degree):
        rows.append(((2 * n + 1) * x * rows[n] - n * rows[n - 1]) / (n + 1))
    return torch.stack(rows[: degree + 1])


def time_basis(time: Tensor, degree: int, *, start: Tensor | float, end: Tensor | float) -> Tensor:
    """Legendre polynomials 1..degree over the visit, (degree, ...) for times (...); degree 0 is the star's
    level."""
    span = torch.as_tensor(end - start, dtype=time.dtype, device=time.device).clamp_min(1e-9)
    return legendre(2.0 * (time - start) / span - 1.0, max(degree, 1))[1 : degree + 1]
