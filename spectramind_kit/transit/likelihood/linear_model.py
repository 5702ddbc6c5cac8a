"""star(lambda) * drift(t, lambda) * transit(depth(lambda), limb darkening(lambda), orbit) and its
derivatives.

Orbit coordinates. ln W, with W half of the time during which z < ``reach`` (reach = 1 + r of the reference),
and b^2:

    z^2 = b^2 + (reach^2 - b^2) sin^2(2 pi (t - t0)/P) / sin^2(2 pi W/P),     (a/Rs)^2 = b^2 + (reach^2 -
    b^2)/sin^2(2 pi W/P)

The flux is nearly linear in both (also at b = 0, where it is even in b), and W hardly correlates with b,
whereas a/Rs and b trade against each other along a curve. That is what makes a second-order expansion of the
likelihood honest.

Letters: N planets, V visits of each, W wavelengths (FGS1 first), L wavelengths of one sensor, T times, F
fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.parameters import DEPTH_FLOOR, Grid, PlanetState, time_basis
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch
from spectramind_kit.transit.limb_darkening import overlap_integrals
from spectramind_kit.transit.orbit import HOURS_PER_DAY
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.transit.transit_model import _lagrange, exposure_offsets

if TYPE_CHECKING:
    pass

# places among the fields of `SensorModel`; those before are the transit's
DEPTH, DRIFT = 5, 6


def _limb_weights(u1: Tensor, u2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (..., 3) of mu^0, mu^1, mu^2 in the normalised intensity and their derivatives in u1 and u2."""
    total = (math.pi * (1.0 - u1 / 3.0 - u2 / 6.0))[..., None]
    weights = torch.stack([1.0 - u1 - u2, u1 + 2.0 * u2, -u2], dim=-1) / total
    d1 = (weights.new_tensor([-1.0, 1.0, 0.0]) + weights * (math.pi / 3.0)) / total
    d2 = (weights.new_tensor([-1.0, 2.0, -1.0]) + weights * (math.pi / 6.0)) / total
    return weights, d1, d2


@dataclass(frozen=True)
class TransitParts:
    """Relative flux (N, V, L, T) of one sensor; derivatives in ln W, b^2, u1, u2, t0 and depth, each (N, V,
    L, T)."""

    flux: Tensor
    slopes: tuple[Tensor, ...]


def transit_parts(
    state: PlanetState,
    time: Tensor,
    *,
    mid_time: Tensor,
    depth: Tensor,
    u1: Tensor,
    u2: Tensor,
    exposure_h: Tensor,
    supersample: int,
    nodes: int,
) -> TransitParts:
    """The transit of one sensor and all its derivatives, for wavelengths that share the orbit.

    time (N, V, T), mid_time and exposure_h (N, V), depth, u1, u2 (N, L). The overlap integrals are made at
    ``nodes`` Chebyshev nodes between the smallest and the largest radius and interpolated: see
    `spectral_transit`.
    """
    n, v, t = time.shape
    offsets = torch.as_tensor(exposure_offsets(1.0, supersample), dtype=time.dtype, device=time.device)
    moment = (time[..., None] + exposure_h[..., None, None] * offsets).reshape(n, v, -1)  # (N, V, T * S)
    rate, theta_w, reach2, impact2, width = (
        value[:, None, None]
        for value in (
            state.rate,
            state.width_angle,
            state.reach.square(),
            state.impact2,
            torch.exp(state.log_duration),
        )
    )
    theta = rate * (moment - mid_time[..., None])
    swing, swing_w = torch.sin(theta).square(), torch.sin(theta_w).square().clamp_min(1e-12)
    span = reach2 - impact2
    z = (impact2 + span * swing / swing_w).clamp_min(1e-12).sqrt()
    half_inverse = 0.5 / z
    dz_width = half_inverse * span * swing * (-width * rate * torch.sin(2.0 * theta_w) / swing_w.square())
    dz_impact2 = half_inverse * (1.0 - swing / swing_w)
    dz_time = half_inverse * (-span / swing_w * rate) * torch.sin(2.0 * theta)
    z = torch.where(torch.cos(theta) < 0.0, z + 10.0, z)

    r = depth.clamp_min(DEPTH_FLOOR).sqrt()
    nodes = nodes if r.shape[1] > 1 else 1
    low, high = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    half, middle = (0.5 * (high - low)).clamp_min(1e-9), 0.5 * (high + low)
    node = torch.cos(torch.pi * (torch.arange(nodes, dtype=r.dtype, device=r.device) + 0.5) / nodes)
    lagrange = _lagrange((r - middle) / half, node)  # (N, L, J)
    # (N, V, J, T * S, 3)
    overlap = overlap_integrals(z[:, :, None, :], (middle + half * node)[:, None, :, None])

    # -> (N, V, J * 3, T)
    def binned(value: Tensor) -> Tensor:
        return value.reshape(n, v, nodes, t, -1, 3).mean(4).permute(0, 1, 2, 4, 3).reshape(n, v, -1, t)

    # (N, L, J * 3) each
    mixes = [(lagrange[..., None] * w[:, :, None, :]).flatten(-2) for w in _limb_weights(u1, u2)]
    blocked, by_u1, by_u2 = (torch.cat(mixes, 1)[:, None] @ binned(overlap.area)).chunk(3, dim=2)
    slopes = torch.cat(
        [binned(overlap.d_separation * dz[:, :, None, :, None]) for dz in (dz_width, dz_impact2, dz_time)]
        + [binned(overlap.d_radius)],
        dim=-1,
    )
    by_width, by_impact2, by_time, by_radius = (mixes[0][:, None] @ slopes).chunk(4, dim=-1)
    return TransitParts(
        1.0 - blocked,
        (-by_width, -by_impact2, -by_u1, -by_u2, -by_time, -by_radius / (2.0 * r)[:, None, :, None]),
    )


@dataclass(frozen=True)
class SensorModel:
    """One sensor: drift * transit (N, V, L, T), and d ln(model) in F = 6 + A fields (N, V, L, F + 1, T).

    The fields are ln W, b^2, u1, u2, t0, depth (`DEPTH`) and the drift's courses in time (from `DRIFT` on); a
    nuisance is one of them times a function of wavelength. The last place is left for the residual.
    """

    relative: Tensor
    fields: Tensor


def sensor_models(
    state: PlanetState, data: LightCurveBatch, grid: Grid, *, settings: AnchorSettings
) -> tuple[SensorModel, SensorModel]:
    """FGS1 and AIRS-CH0."""
    u1, u2 = state.limb_darkening(grid)
    drifts = (state.fgs1_drift[..., None], state.airs_drift @ grid.drift_basis)  # (N, V, A, L)
    clocks = (state.mid_time + state.time_offset, state.mid_time)
    models = []
    for part, drift, mid_time in zip((slice(0, 1), slice(1, None)), drifts, clocks):
        parts = transit_parts(
            state,
            data.time,
            mid_time=mid_time,
            depth=state.depth[:, part],
            u1=u1[:, part],
            u2=u2[:, part],
            exposure_h=data.exposure_h,
            supersample=settings.supersample,
            nodes=settings.radius_nodes,
        )
        degree = drift.shape[2]
        # (N, V, A, T)
        course = time_basis(data.time, degree, start=data.start[..., None], end=data.end[..., None]).movedim(
            0, 2
        )
        factor = 1.0 + drift.mT @ course
        fields = parts.flux.new_empty(*parts.flux.shape[:3], DRIFT + degree + 1, parts.flux.shape[3])
        inverse = 1.0 / parts.flux
        for k, slope in enumerate(parts.slopes):
            torch.mul(slope, inverse, out=fields[..., k, :])
        torch.div(course[:, :, None], factor[:, :, :, None], out=fields[..., DRIFT : DRIFT + degree, :])
        models.append(SensorModel(factor * parts.flux, fields))
    return models[0], models[1]


def half_duration(*, period_d: Tensor, semi_major_axis: Tensor, impact2: Tensor, reach: Tensor) -> Tensor:
    """Half of the time (h) during which z < reach, at most a quarter of the period."""
    swing = ((reach.square() - impact2) / (semi_major_axis.square() - impact2).clamp_min(1e-9)).clamp(
        1e-4, 1.0
    )
    return torch.asin(swing.sqrt()) * period_d * (HOURS_PER_DAY / (2.0 * math.pi))
