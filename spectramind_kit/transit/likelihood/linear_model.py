"""star(lambda) * drift(t, lambda) * transit(depth(lambda), limb darkening(lambda), orbit), and its slopes.

The orbit's coordinates are those of `orbit_coordinates`. Letters: N planets, V visits of each, W wavelengths
(FGS1 first), L wavelengths of one sensor, T times, F fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.parameters import DEPTH_FLOOR, SENSORS, Grid, PlanetState, time_basis
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch
from spectramind_kit.transit.limb_darkening import (
    limb_darkening_slopes,
    limb_darkening_weights,
    overlap_integrals,
)
from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.transit.transit_model import RadiusNodes, exposure_offsets

# places among the fields of `SensorModel`; those before are the transit's
DEPTH, DRIFT = 5, 6


@dataclass(frozen=True)
class SensorView:
    """What one sensor sees of planets: wavelengths that share a clock."""

    mid_time: Tensor  # (N, V) h
    depth: Tensor  # (N, L)
    u1: Tensor  # (N, L)
    u2: Tensor  # (N, L)


@dataclass(frozen=True)
class TransitParts:
    """The transit of one sensor, and its derivatives."""

    flux: Tensor  # (N, V, L, T) relative
    slopes: tuple[Tensor, ...]  # in ln W, b^2, u1, u2, t0 and depth, (N, V, L, T) each


def transit_parts(
    orbit: OrbitCoordinates,
    view: SensorView,
    time: Tensor,
    exposure_h: Tensor,
    *,
    supersample: int,
    nodes: int,
) -> TransitParts:
    """The transit of one sensor and all its derivatives, by interpolation in the radius (`RadiusNodes`).

    time (N, V, T), exposure_h (N, V).
    """
    n, v, t = time.shape
    offsets = torch.as_tensor(exposure_offsets(1.0, supersample), dtype=time.dtype, device=time.device)
    moment = (time[..., None] + exposure_h[..., None, None] * offsets).flatten(2)  # (N, V, T * S)
    z, *z_slopes = orbit.separation(moment - view.mid_time[..., None])
    r = view.depth.clamp_min(DEPTH_FLOOR).sqrt()
    grid = RadiusNodes.of(r, nodes if r.shape[1] > 1 else 1)
    overlap = overlap_integrals(z[:, :, None, :], grid.radius[:, None, :, None])  # (N, V, J, T * S, 3)

    def binned(value: Tensor) -> Tensor:  # -> (N, V, J * 3, T)
        value = value.reshape(n, v, -1, t, len(offsets), 3).mean(4)
        return value.permute(0, 1, 2, 4, 3).reshape(n, v, -1, t)

    weights = limb_darkening_weights(view.u1, view.u2)
    mixes = [grid.mix(w) for w in (weights, *limb_darkening_slopes(weights, view.u1, view.u2))]
    blocked, by_u1, by_u2 = (torch.cat(mixes, 1)[:, None] @ binned(overlap.area)).chunk(3, dim=2)
    by_orbit = [binned(overlap.d_separation * slope[:, :, None, :, None]) for slope in z_slopes]
    slopes = torch.cat([*by_orbit, binned(overlap.d_radius)], dim=-1)
    by_width, by_impact2, by_time, by_radius = (mixes[0][:, None] @ slopes).chunk(4, dim=-1)
    by_depth = -by_radius / (2.0 * r)[:, None, :, None]
    return TransitParts(1.0 - blocked, (-by_width, -by_impact2, -by_u1, -by_u2, -by_time, by_depth))


@dataclass(frozen=True)
class SensorModel:
    """One sensor, and what changes it.

    The fields are ln W, b^2, u1, u2, t0, depth (`DEPTH`) and the drift's courses in time (from `DRIFT` on); a
    nuisance is one of them times a function of wavelength.
    """

    relative: Tensor  # (N, V, L, T) drift * transit
    fields: (
        Tensor  # (N, V, L, F + 1, T) d ln(model) in F = 6 + A fields; the last place is left for the residual
    )


def sensor_views(state: PlanetState, grid: Grid) -> list[SensorView]:
    """FGS1 and AIRS-CH0."""
    u1, u2 = state.limb_darkening(grid)
    clocks = (state.mid_time + state.time_offset, state.mid_time)
    return [
        SensorView(clock, state.depth[:, part], u1[:, part], u2[:, part])
        for clock, part in zip(clocks, SENSORS)
    ]


def sensor_models(
    state: PlanetState, data: LightCurveBatch, grid: Grid, *, settings: AnchorSettings
) -> list[SensorModel]:
    """FGS1 and AIRS-CH0."""
    drifts = (state.fgs1_drift[..., None], state.airs_drift @ grid.drift_basis)  # (N, V, A, L)
    exposure = dict(supersample=settings.supersample, nodes=settings.radius_nodes)
    models = []
    for view, drift in zip(sensor_views(state, grid), drifts):
        parts = transit_parts(state, view, data.time, data.exposure_h, **exposure)
        degree = drift.shape[2]
        course = time_basis(data.time, degree, start=data.start[..., None], end=data.end[..., None])
        course = course.movedim(0, 2)  # (N, V, A, T)
        factor = 1.0 + drift.mT @ course
        fields = parts.flux.new_empty(*parts.flux.shape[:3], DRIFT + degree + 1, parts.flux.shape[3])
        inverse = 1.0 / parts.flux
        for k, slope in enumerate(parts.slopes):
            torch.mul(slope, inverse, out=fields[..., k, :])
        torch.div(course[:, :, None], factor[:, :, :, None], out=fields[..., DRIFT : DRIFT + degree, :])
        models.append(SensorModel(factor * parts.flux, fields))
    return models
