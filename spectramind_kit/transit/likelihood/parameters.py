"""Names and states of everything that the light-curve model depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates

FGS1, AIRS = slice(0, 1), slice(1, None)  # the sensors' places among the W wavelengths
SENSORS = (FGS1, AIRS)
DEPTH_FLOOR = 1e-5  # the reference depth never goes below it (the linearised depth may)
LIMB_DEGREE = 2  # u1 and u2 are parabolas in wavelength in AIRS-CH0
_TERMS = ("", "_slope", "_curve")
LIMB_NAMES = ("fgs1_u1", "fgs1_u2", *(f"airs_u1{t}" for t in _TERMS), *(f"airs_u2{t}" for t in _TERMS))
ORBIT_NAMES = ("log_duration", "impact2")
SHARED_NAMES = (*ORBIT_NAMES, *LIMB_NAMES)
SHARED = len(SHARED_NAMES)  # nuisances that all visits of a planet share


@dataclass(frozen=True)
class Grid:
    """The wavelengths of a fit, and Legendre polynomials over AIRS-CH0, whose range is [-1, 1]."""

    wavelength_um: Tensor  # (W,) the first is FGS1
    x: Tensor  # (W - 1,)
    drift_basis: Tensor  # (Q, W - 1)
    limb_basis: Tensor  # (LIMB_DEGREE + 1, W - 1)

    @classmethod
    def build(cls, wavelength_um: Tensor, *, degree: int, low: float, high: float) -> Grid:
        x = 2.0 * (wavelength_um[1:] - low) / (high - low) - 1.0
        return cls(wavelength_um, x, legendre(x, degree), legendre(x, LIMB_DEGREE))


@dataclass(frozen=True)
class PlanetState(OrbitCoordinates):
    """Everything the model depends on but the star's level, which is eliminated in every wavelength."""

    limb: Tensor  # (N, 8) in the order of LIMB_NAMES
    depth: Tensor  # (N, W)
    mid_time: Tensor  # (N, V) h, of AIRS-CH0
    time_offset: Tensor  # (N, V) h, FGS1 minus AIRS
    airs_drift: Tensor  # (N, V, A, Q)
    fgs1_drift: Tensor  # (N, V, A_f)

    @property
    def n_own(self) -> int:
        """Nuisances that belong to one visit: clocks and drift."""
        return 2 + math.prod(self.airs_drift.shape[-2:]) + self.fgs1_drift.shape[-1]

    def limb_darkening(self, grid: Grid) -> tuple[Tensor, Tensor]:
        """u1, u2 (..., W), FGS1 first."""
        airs = self.limb[..., 2:].unflatten(-1, (2, LIMB_DEGREE + 1)) @ grid.limb_basis
        u1, u2 = (torch.cat([self.limb[..., k : k + 1], airs[..., k, :]], dim=-1) for k in range(2))
        return u1, u2


def nuisances(state: PlanetState) -> Tensor:
    """All nuisances as one vector (..., K): orbit, limb darkening, then visit by visit `visit_names`."""
    clocks = torch.stack([state.mid_time, state.time_offset], dim=-1)
    own = torch.cat([clocks, state.airs_drift.flatten(-2), state.fgs1_drift], dim=-1).flatten(-2)
    orbit = torch.stack([state.log_duration, state.impact2], dim=-1)
    return torch.cat([orbit, state.limb, own], dim=-1)


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
    """Legendre polynomials 1..degree over the visit, (degree, ...) for times (...); 0 is the star's level."""
    span = torch.as_tensor(end - start, dtype=time.dtype, device=time.device).clamp_min(1e-9)
    return legendre(2.0 * (time - start) / span - 1.0, max(degree, 1))[1 : degree + 1]
