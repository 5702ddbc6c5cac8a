"""Normal equations of the light-curve model: every derivative, with the star's levels eliminated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectramind_kit.transit.linear_model import Grid, PlanetState, visit_model
from spectramind_kit.transit.noise import VisitData
from spectramind_kit.transit.settings import AnchorSettings

SHARED = 8   # orbit (2) and limb darkening (6): one set for all visits of a planet


@dataclass(frozen=True)
class VisitResidual:
    """What a step needs to know of one visit: residuals and the means that the levels absorb."""

    residual: Tensor      # (T, W) (flux - model)/model, mean-free in time
    weight: Tensor        # (T, W) 1/variance of the residual, robust factor included
    base_weight: Tensor   # (T, W) without the robust factor
    level: Tensor         # (W,) weighted mean residual
    level_airs: Tensor    # (k, W - 1) weighted mean of each column
    level_fgs1: Tensor    # (k, 1)
    level_depth: Tensor   # (W,)
    columns: tuple[Tensor, Tensor, Tensor] | None = None   # centred airs, fgs1, depth; kept on request


@dataclass(frozen=True)
class NormalEquations:
    """chi^2 and its (halved) gradient and curvature at a state; K nuisances, W depths."""

    chi2: float
    depth_information: Tensor     # (W,)
    coupling: Tensor              # (W, K)
    nuisance_information: Tensor  # (K, K)
    depth_score: Tensor           # (W,)
    nuisance_score: Tensor        # (K,)
    visits: tuple[VisitResidual, ...]


def local_columns(n_columns: int, visit: int, per_visit: Sequence[int]) -> Tensor:
    """Places of a visit's columns among all nuisances."""
    start = SHARED + sum(per_visit[:visit])
    return torch.cat([torch.arange(SHARED), torch.arange(start, start + n_columns - SHARED)])


def assemble(state: PlanetState, data: Sequence[VisitData], grid: Grid, *, settings: AnchorSettings,
             robust: Sequence[Tensor] | None = None, keep_columns: bool = False) -> NormalEquations:
    """Linearise the model around ``state`` for all visits and accumulate the normal equations."""
    n_wave = state.depth.numel()
    per_visit = [2 + v.airs_drift.numel() + v.fgs1_drift.numel() for v in state.visits]
    total = SHARED + sum(per_visit)
    like = dict(dtype=torch.float64, device=state.depth.device)
    info_d, info_n = torch.zeros(n_wave, **like), torch.zeros(total, total, **like)
    coupling, score_d, score_n = torch.zeros(n_wave, total, **like), torch.zeros(n_wave, **like), torch.zeros(total, **like)
    chi2, visits = 0.0, []
    for number, visit in enumerate(data):
        model = visit_model(state, number, grid, visit.time, span=visit.span, exposure_h=visit.exposure_h,
                            supersample=settings.supersample, nodes=settings.radius_nodes)
        flux = model.flux.clamp_min(1e-9)
        base = visit.weight * flux.square()
        weight = base if robust is None else base * robust[number]
        residual = visit.flux / flux - 1.0
        norm = weight.sum(0).clamp_min(1e-300)
        level = (weight * residual).sum(0) / norm
        residual = residual - level
        root = weight.sqrt()
        scaled, blocks = root * residual, []
        depth_mean = (weight * model.depth).sum(0) / norm
        depth = root * (model.depth - depth_mean)
        where = local_columns(model.airs.shape[0], number, per_visit).to(state.depth.device)
        means = []
        for part, columns in ((slice(1, None), model.airs), (slice(0, 1), model.fgs1)):
            mean = (weight[:, part] * columns).sum(1) / norm[part]
            centred = columns.sub_(mean[:, None, :]).mul_(root[:, part])
            flat = centred.reshape(len(centred), -1)
            info_n[where[:, None], where[None, :]] += flat @ flat.T
            score_n[where] += flat @ scaled[:, part].reshape(-1)
            cross = torch.stack([(column * depth[:, part]).sum(0) for column in centred], dim=1)
            rows = torch.arange(n_wave, device=where.device)[part]
            coupling[rows[:, None], where[None, :]] += cross
            means.append(mean)
            blocks.append(centred)
        info_d += depth.square().sum(0)
        score_d += (depth * scaled).sum(0)
        chi2 += float(scaled.square().sum())
        kept = (blocks[0], blocks[1], depth) if keep_columns else None
        visits.append(VisitResidual(residual=residual, weight=weight, base_weight=base, level=level,
                                    level_airs=means[0], level_fgs1=means[1], level_depth=depth_mean, columns=kept))
    return NormalEquations(chi2=chi2, depth_information=info_d, coupling=coupling, nuisance_information=info_n,
                           depth_score=score_d, nuisance_score=score_n, visits=tuple(visits))
