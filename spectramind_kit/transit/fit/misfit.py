"""How far a converged fit misses its data: chi^2 of each sensor, visits that disagree."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from spectramind_kit.transit.fit.normal_equations import VisitEquations
from spectramind_kit.transit.fit.problem import FitProblem, FitResult
from spectramind_kit.transit.likelihood.parameters import AIRS, FGS1, SHARED
from spectramind_kit.transit.likelihood.planet_batch import put, take

_BEYOND_CHANCE = 3.0  # standard deviations from which chi^2 divides the information: docs/decisions.md D23
_TIME_SCATTER_H = 10.0  # prior of a visit's mid-transit time while its level is asked for: none


def sensor_chi2(weight: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """chi^2 per degree of freedom of AIRS-CH0 and FGS1 (..., 2) from (..., W, T), and its sd by chance."""
    found, chance = [], []
    for part in (AIRS, FGS1):
        own = weight[..., part, :]
        used = own > 0
        freedom = (used.sum((-2, -1)) - 2 * used.any(-1).sum(-1) - 8).clamp_min(1).double()
        found.append((own * residual[..., part, :].square()).sum((-2, -1)) / freedom)
        chance.append((2.0 / freedom).sqrt())
    return torch.stack(found, -1), torch.stack(chance, -1)


def with_trusted_weights(problem: FitProblem, result: FitResult, chi2: Tensor, chance: Tensor) -> FitResult:
    """The same solution, linearised again where a sensor's information had to be divided by its chi^2."""
    data = result.planets.data
    weight = trusted_weights(data.weight, chi2, chance)
    where = (weight != data.weight).flatten(1).any(1).nonzero()[:, 0]
    if not len(where):
        return result
    planets = replace(result.planets, data=replace(data, weight=weight))
    normal = problem.linearised(take(planets, where), take(result.state, where))
    return replace(result, planets=planets, normal=put(result.normal, where, normal))


def trusted_weights(weight: Tensor, chi2: Tensor, chance: Tensor) -> Tensor:
    """Weights (N, V, W, T) of the data with each sensor of each visit divided by its own chi^2 (N, V, 2)
    where that is no chance: a model that misses the data by more than noise knows less than its curvature
    says."""
    factor = torch.where(chi2 > 1.0 + _BEYOND_CHANCE * chance, 1.0 / chi2.clamp_min(1.0), 1.0)
    airs, fgs1 = factor[..., 0, None, None], factor[..., 1, None, None]
    return torch.cat([weight[..., FGS1, :] * fgs1, weight[..., AIRS, :] * airs], dim=-2)


def visit_disagreement(visits: VisitEquations, own_sd: Tensor) -> tuple[float, float]:
    """Largest difference of the levels that a planet's visits show each, in depth and in sigma; one orbit.

    ``own_sd`` (V, K_own): prior widths of each visit's clocks and drift.
    """
    levels = [_level(take(visits, v), sd) for v, sd in enumerate(own_sd)]
    gaps = [(abs(b[0] - a[0]), math.sqrt(b[1] + a[1])) for a, b in combinations(levels, 2)]
    if not gaps:
        return 0.0, 0.0
    gap, sigma = max(gaps, key=lambda g: g[0] / max(g[1], 1e-12))
    return gap, gap / max(sigma, 1e-12)


def _level(visit: VisitEquations, sd: Tensor) -> tuple[float, float]:
    """Depth of AIRS-CH0 in one visit alone, relative to the reference, and its variance."""
    own = slice(SHARED, None)
    total = torch.zeros(2 + len(sd), 2 + len(sd), dtype=sd.dtype)
    width = torch.cat([sd.new_tensor([_TIME_SCATTER_H]), sd[1:]])
    total[2:, 2:] = visit.information[own, own] + torch.diag(1.0 / width.square())
    score = torch.cat([torch.zeros(2, dtype=sd.dtype), visit.score[own]])
    for k, part in enumerate((AIRS, FGS1)):  # a level for each
        total[k, k] = visit.depth_information[part].sum() + 1.0
        total[k, 2:] = total[2:, k] = visit.coupling[part, own].sum(0)
        score[k] = visit.depth_score[part].sum()
    covariance = torch.linalg.inv(total)
    return float((covariance @ score)[0]), float(covariance[0, 0])
