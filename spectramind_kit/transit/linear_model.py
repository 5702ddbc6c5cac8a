"""star(lambda) * drift(t, lambda) * transit(depth(lambda), limb darkening(lambda), orbit) and its derivatives.

Orbit coordinates. ln W, with W half of the time during which z < ``reach`` (reach = 1 + r of the reference), and b^2:

    z^2 = b^2 + (reach^2 - b^2) sin^2(2 pi (t - t0)/P) / sin^2(2 pi W/P),     (a/Rs)^2 = b^2 + (reach^2 - b^2)/sin^2(2 pi W/P)

The flux is nearly linear in both (also at b = 0, where it is even in b), and W hardly correlates with b, whereas a/Rs
and b trade against each other along a curve. That is what makes a second-order expansion of the likelihood honest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.limb_darkening import overlap_integrals
from spectramind_kit.transit.orbit import HOURS_PER_DAY
from spectramind_kit.transit.transit_model import _lagrange, exposure_offsets

if TYPE_CHECKING:
    from spectramind_kit.transit.measurement import VisitFit

DEPTH_FLOOR = 1e-5     # the reference depth never goes below it (the linearised depth may)
LIMB_NAMES = ("fgs1_u1", "fgs1_u2", "airs_u1", "airs_u1_slope", "airs_u2", "airs_u2_slope")
ORBIT_NAMES = ("log_duration", "impact2")


@dataclass(frozen=True)
class Grid:
    """The wavelengths of a fit: W bins, the first is FGS1. ``x`` in [-1, 1] over AIRS-CH0."""

    wavelength_um: Tensor
    x: Tensor
    lambda_basis: Tensor              # (Q, W - 1) Legendre polynomials of x

    @classmethod
    def build(cls, wavelength_um: Tensor, *, degree: int, low: float, high: float) -> Grid:
        x = 2.0 * (wavelength_um[1:] - low) / (high - low) - 1.0
        return cls(wavelength_um, x, legendre(x, degree))


@dataclass
class VisitState:
    """Nuisances of one visit at the current linearisation point (a work record of the fit)."""

    mid_time: float
    time_offset: float                # FGS1 minus AIRS
    airs_drift: Tensor                # (A, Q)
    fgs1_drift: Tensor                # (A_f,)
    level: Tensor                     # (W,)


@dataclass
class PlanetState:
    """Everything the model depends on."""

    period_d: float
    reach: float
    log_duration: float               # ln W, W in hours
    impact2: float
    limb: Tensor                      # (6,) in the order of LIMB_NAMES
    depth: Tensor                     # (W,)
    visits: list[VisitState]

    @property
    def semi_major_axis(self) -> float:
        swing = math.sin(self.angle_of(math.exp(self.log_duration))) ** 2
        return math.sqrt(max(self.impact2 + (self.reach**2 - self.impact2) / max(swing, 1e-12), 1.0))

    def angle_of(self, hours: float) -> float:
        return min(2.0 * math.pi * hours / (self.period_d * HOURS_PER_DAY), 0.5 * math.pi)

    def limb_darkening(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u1, u2 (W,), FGS1 first."""
        c = self.limb
        return (torch.cat([c[0:1], c[2] + c[3] * x]), torch.cat([c[1:2], c[4] + c[5] * x]))

    def copy(self) -> PlanetState:
        return replace(self, limb=self.limb.clone(), depth=self.depth.clone(),
                       visits=[replace(v, airs_drift=v.airs_drift.clone(), fgs1_drift=v.fgs1_drift.clone(),
                                       level=v.level.clone()) for v in self.visits])


def legendre(x: Tensor, degree: int) -> Tensor:
    """Legendre polynomials 0..degree at x, (degree + 1, len(x))."""
    rows = [torch.ones_like(x), x]
    for n in range(1, degree):
        rows.append(((2 * n + 1) * x * rows[n] - n * rows[n - 1]) / (n + 1))
    return torch.stack(rows[: degree + 1])


def time_basis(time: Tensor, degree: int, *, span: tuple[float, float] | None = None) -> Tensor:
    """Legendre polynomials 1..degree over the visit, (degree, T); degree 0 is the star's level."""
    start, end = span or (float(time[0]), float(time[-1]))
    scaled = 2.0 * (time - start) / max(end - start, 1e-9) - 1.0
    return legendre(scaled, max(degree, 1))[1: degree + 1]


def _limb_weights(u1: Tensor, u2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (W, 3) of mu^0, mu^1, mu^2 in the normalised intensity and their derivatives in u1 and u2."""
    total = (math.pi * (1.0 - u1 / 3.0 - u2 / 6.0))[:, None]
    weights = torch.stack([1.0 - u1 - u2, u1 + 2.0 * u2, -u2], dim=-1) / total
    d1 = (weights.new_tensor([-1.0, 1.0, 0.0]) + weights * (math.pi / 3.0)) / total
    d2 = (weights.new_tensor([-1.0, 2.0, -1.0]) + weights * (math.pi / 6.0)) / total
    return weights, d1, d2


@dataclass(frozen=True)
class TransitParts:
    """Relative flux (T, W) of one sensor and its derivatives in ln W, b^2, t0, depth, u1, u2 (each (T, W))."""

    flux: Tensor
    log_duration: Tensor
    impact2: Tensor
    mid_time: Tensor
    depth: Tensor
    u1: Tensor
    u2: Tensor


def transit_parts(state: PlanetState, time: Tensor, *, mid_time: float, depth: Tensor, u1: Tensor, u2: Tensor,
                  exposure_h: float, supersample: int, nodes: int) -> TransitParts:
    """The transit of one sensor and all its derivatives, for wavelengths that share the orbit."""
    offsets = exposure_offsets(exposure_h, supersample) if exposure_h > 0 else np.zeros(1)
    moment = (time[:, None] + time.new_tensor(offsets)).reshape(-1)                          # (T * S,)
    rate = 2.0 * math.pi / (state.period_d * HOURS_PER_DAY)
    width = math.exp(state.log_duration)
    theta, theta_w = rate * (moment - mid_time), state.angle_of(width)
    swing, swing_w = torch.sin(theta).square(), max(math.sin(theta_w) ** 2, 1e-12)
    span = state.reach**2 - state.impact2
    z = (state.impact2 + span * swing / swing_w).clamp_min(1e-12).sqrt()
    half_inverse = 0.5 / z
    dz_width = half_inverse * span * swing * (-width * rate * math.sin(2.0 * theta_w) / swing_w**2)
    dz_impact2 = half_inverse * (1.0 - swing / swing_w)
    dz_time = half_inverse * (-span / swing_w * rate) * torch.sin(2.0 * theta)
    z = torch.where(torch.cos(theta) < 0.0, z + 10.0, z)

    r = depth.clamp_min(DEPTH_FLOOR).sqrt()
    low, high = float(r.min()), float(r.max())
    if len(r) == 1 or high - low < 1e-9 * high:
        radii, lagrange = r[:1], torch.ones(len(r), 1, dtype=r.dtype, device=r.device)
    else:
        node = torch.cos(torch.pi * (torch.arange(nodes, dtype=r.dtype, device=r.device) + 0.5) / nodes)
        radii = 0.5 * (high + low) + 0.5 * (high - low) * node
        lagrange = _lagrange((r - 0.5 * (high + low)) / (0.5 * (high - low)), node)          # (W, J)
    overlap = overlap_integrals(z[None, :], radii[:, None])                                  # (J, T * S, 3)
    n_times, parts = len(time), len(offsets)

    def binned(value: Tensor) -> Tensor:                                                     # -> (T, J * 3)
        return value.reshape(len(radii), n_times, parts, 3).mean(2).permute(1, 0, 2).reshape(n_times, -1)

    weights, d1, d2 = _limb_weights(u1, u2)
    mix, mix1, mix2 = ((lagrange[:, :, None] * w[:, None, :]).reshape(len(r), -1).T for w in (weights, d1, d2))
    area = binned(overlap.area)
    slopes = [-(binned(overlap.d_separation * dz[None, :, None]) @ mix) for dz in (dz_width, dz_impact2, dz_time)]
    return TransitParts(flux=1.0 - area @ mix, log_duration=slopes[0], impact2=slopes[1], mid_time=slopes[2],
                        depth=-(binned(overlap.d_radius) @ mix) / (2.0 * r), u1=-(area @ mix1), u2=-(area @ mix2))


@dataclass(frozen=True)
class VisitModel:
    """Model of one visit and its relative derivatives d ln(model): airs (K, T, W - 1), fgs1 (K, T, 1), depth (T, W)."""

    flux: Tensor                      # (T, W) level * drift * transit
    airs: Tensor
    fgs1: Tensor
    depth: Tensor


def visit_names(visit: int, *, airs_degree: int, lambda_terms: int, fgs1_degree: int) -> list[str]:
    """Names of the nuisances that belong to one visit, in the order of the columns."""
    return ([f"mid_time_{visit}", f"time_offset_{visit}"]
            + [f"airs_drift_{visit}_{a + 1}_{q}" for a in range(airs_degree) for q in range(lambda_terms)]
            + [f"fgs1_drift_{visit}_{a + 1}" for a in range(fgs1_degree)])


def visit_model(state: PlanetState, number: int, grid: Grid, time: Tensor, *, span: tuple[float, float],
                exposure_h: float, supersample: int, nodes: int) -> VisitModel:
    """Model and derivatives of visit ``number``: columns are orbit (2), limb darkening (6), then `visit_names`."""
    visit = state.visits[number]
    u1, u2 = state.limb_darkening(grid.x)
    common = dict(exposure_h=exposure_h, supersample=supersample, nodes=nodes)
    airs = transit_parts(state, time, mid_time=visit.mid_time, depth=state.depth[1:], u1=u1[1:], u2=u2[1:], **common)
    fgs1 = transit_parts(state, time, mid_time=visit.mid_time + visit.time_offset, depth=state.depth[:1], u1=u1[:1],
                         u2=u2[:1], **common)
    airs_time = time_basis(time, visit.airs_drift.shape[0], span=span)
    fgs1_time = time_basis(time, visit.fgs1_drift.shape[0], span=span)
    airs_drift = 1.0 + airs_time.T @ (visit.airs_drift @ grid.lambda_basis)                  # (T, W - 1)
    fgs1_drift = 1.0 + (fgs1_time.T @ visit.fgs1_drift)[:, None]                             # (T, 1)

    n_airs, n_fgs1 = visit.airs_drift.numel(), visit.fgs1_drift.numel()
    total = 8 + 2 + n_airs + n_fgs1
    a = torch.empty(total, *airs.flux.shape, dtype=time.dtype, device=time.device)
    a[2:4], a[9], a[10 + n_airs:] = 0.0, 0.0, 0.0
    f = torch.zeros(total, *fgs1.flux.shape, dtype=time.dtype, device=time.device)
    for column, block, parts in ((a, airs.flux, airs), (f, fgs1.flux, fgs1)):
        column[0], column[1], column[8] = parts.log_duration / block, parts.impact2 / block, parts.mid_time / block
    f[2], f[3] = fgs1.u1 / fgs1.flux, fgs1.u2 / fgs1.flux
    a[4], a[6] = airs.u1 / airs.flux, airs.u2 / airs.flux
    a[5], a[7] = a[4] * grid.x, a[6] * grid.x
    f[9] = f[8]
    terms = len(grid.lambda_basis)
    for degree, course in enumerate(airs_time):
        place = a[10 + degree * terms: 10 + (degree + 1) * terms]
        torch.mul(course[:, None] / airs_drift, grid.lambda_basis[:, None, :], out=place)
    f[10 + n_airs:] = (fgs1_time[:, :, None] / fgs1_drift)
    relative = torch.cat([fgs1_drift * fgs1.flux, airs_drift * airs.flux], dim=1)
    depth = torch.cat([fgs1.depth / fgs1.flux, airs.depth / airs.flux], dim=1)
    return VisitModel(flux=visit.level * relative, airs=a, fgs1=f, depth=depth)


# ---------------------------------------------------------------- a fitted visit, evaluated again

def _state_of(fit: VisitFit, depth: np.ndarray) -> PlanetState:
    reach = 1.0 + math.sqrt(max(float(np.median(depth)), DEPTH_FLOOR))
    a, b2 = fit.semi_major_axis, fit.impact_parameter**2
    reach = max(reach, math.sqrt(b2) + 1e-3)
    swing = min((reach**2 - b2) / max(a**2 - b2, 1e-9), 1.0)
    width = math.asin(math.sqrt(swing)) * fit.period_d * HOURS_PER_DAY / (2.0 * math.pi)
    return PlanetState(period_d=fit.period_d, reach=reach, log_duration=math.log(width), impact2=b2,
                       limb=torch.zeros(6, dtype=torch.float64), depth=torch.as_tensor(depth), visits=[])


def visit_transit(fit: VisitFit, depth: np.ndarray, *, supersample: int = 3, nodes: int = 4) -> np.ndarray:
    """Relative transit flux (T, W) of a fitted visit for the spectrum ``depth`` (W,)."""
    time, u1, u2 = (torch.as_tensor(np.asarray(v, dtype=np.float64)) for v in (fit.time, fit.u1, fit.u2))
    state, columns = _state_of(fit, np.asarray(depth, dtype=np.float64)), []
    for part, mid_time in ((slice(0, 1), fit.fgs1_mid_transit_time), (slice(1, None), fit.mid_transit_time)):
        columns.append(transit_parts(state, time, mid_time=mid_time, depth=state.depth[part], u1=u1[part], u2=u2[part],
                                     exposure_h=fit.exposure_h, supersample=supersample, nodes=nodes).flux)
    return torch.cat(columns, dim=1).numpy()


def visit_drift(fit: VisitFit) -> np.ndarray:
    """Drift (T, W) of a fitted visit, relative to the star's level."""
    time = torch.as_tensor(np.asarray(fit.time, dtype=np.float64))
    airs, fgs1, x = (torch.as_tensor(v) for v in (fit.airs_drift, fit.fgs1_drift, fit.drift_x))
    airs_part = 1.0 + time_basis(time, len(airs)).T @ (airs @ legendre(x, airs.shape[1] - 1))
    fgs1_part = 1.0 + (time_basis(time, len(fgs1)).T @ fgs1)[:, None]
    return torch.cat([fgs1_part, airs_part], dim=1).numpy()
