"""Levenberg-Marquardt over all wavelengths: spectrum (in a smooth basis) and nuisances together, in closed steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.linear_model import DEPTH_FLOOR, Grid, PlanetState
from spectramind_kit.transit.noise import VisitData, robust_weights
from spectramind_kit.transit.normal_equations import SHARED, NormalEquations, assemble
from spectramind_kit.transit.nuisance_prior import NuisancePrior, OrbitPoint
from spectramind_kit.transit.settings import AnchorSettings

_STEP_LIMIT = {"log_duration": 0.25, "impact2": 0.25, "limb": 0.3, "mid_time": 0.3}
_GRAZING_MARGIN = 0.03   # b stays below reach - margin: beyond it nothing is hidden and nothing has a slope
_ROBUST_UPDATES = 6       # a long glitch loses its pull step by step
_DRIFT_PRIOR_POINTS = 2.0  # the population's width counts like so many coefficients of one visit


@dataclass
class FitProblem:
    """The data of one planet at one spectral resolution, and the priors of the fit."""

    data: Sequence[VisitData]
    grid: Grid
    basis: Tensor                     # (W, M) spectrum = basis @ alpha; column 0 level, 1 FGS1 offset, rest shapes
    basis_sd: Tensor                  # (M,) relative to the depth; inf for the level
    point: OrbitPoint                 # star table (its reference values are replaced as the fit moves)
    settings: AnchorSettings
    prior: NuisancePrior
    limb_mean: Tensor                 # (6,)
    limb_precision: Tensor            # (6, 6)
    drift_sd: list[tuple[Tensor, Tensor]] = field(default_factory=list)   # per visit (A, Q), (A_f,)
    robust: list[Tensor] | None = None


@dataclass(frozen=True)
class FitResult:
    state: PlanetState
    alpha: Tensor
    normal: NormalEquations
    objective: float
    covariance: Tensor                # (M + K, M + K) posterior of alpha and nuisances
    iterations: int
    converged: bool


def nuisances(state: PlanetState) -> Tensor:
    """All nuisances as one vector (K,)."""
    parts = [state.limb.new_tensor([state.log_duration, state.impact2]), state.limb]
    for v in state.visits:
        parts += [state.limb.new_tensor([v.mid_time, v.time_offset]), v.airs_drift.reshape(-1), v.fgs1_drift]
    return torch.cat(parts)


def _limit(steps: Tensor, state: PlanetState) -> Tensor:
    limits = torch.full_like(steps, math.inf)
    limits[0], limits[1], limits[2:SHARED] = (_STEP_LIMIT[k] for k in ("log_duration", "impact2", "limb"))
    at = SHARED
    for v in state.visits:
        limits[at: at + 2] = _STEP_LIMIT["mid_time"]
        at += 2 + v.airs_drift.numel() + v.fgs1_drift.numel()
    return torch.maximum(torch.minimum(steps, limits), -limits)


def moved(state: PlanetState, step: Tensor, alpha: Tensor, problem: FitProblem, normal: NormalEquations) -> PlanetState:
    """The state after a step in the nuisances and with a new spectrum; the star's levels follow in closed form."""
    new = state.copy()
    new.log_duration = float(np.clip(state.log_duration + float(step[0]), math.log(0.1), math.log(30.0)))
    new.impact2 = float(np.clip(state.impact2 + float(step[1]), 0.0, (state.reach - _GRAZING_MARGIN) ** 2))
    new.limb = state.limb + step[2:SHARED]
    new.depth = (problem.basis @ alpha).clamp(DEPTH_FLOOR, 0.5)
    change, at = new.depth - state.depth, SHARED
    for old, visit, rest in zip(state.visits, new.visits, normal.visits):
        n_airs, n_fgs1 = old.airs_drift.numel(), old.fgs1_drift.numel()
        local = torch.cat([step[:SHARED], step[at: at + 2 + n_airs + n_fgs1]])
        visit.mid_time, visit.time_offset = old.mid_time + float(step[at]), old.time_offset + float(step[at + 1])
        visit.airs_drift = old.airs_drift + step[at + 2: at + 2 + n_airs].reshape(old.airs_drift.shape)
        visit.fgs1_drift = old.fgs1_drift + step[at + 2 + n_airs: at + 2 + n_airs + n_fgs1]
        gain = rest.level - rest.level_depth * change
        gain = gain - torch.cat([local @ rest.level_fgs1, local @ rest.level_airs])
        visit.level = old.level * (1.0 + gain.clamp(-0.5, 0.5))
        at += 2 + n_airs + n_fgs1
    return new


def orbit_point(state: PlanetState, point: OrbitPoint) -> OrbitPoint:
    return replace(point, period_d=state.period_d, reach=state.reach, log_duration=state.log_duration,
                   impact2=state.impact2)


def prior_terms(problem: FitProblem, state: PlanetState, alpha: Tensor) -> tuple[Tensor, Tensor, float]:
    """Precision and pull (M + K) of all priors at a state, and their chi^2."""
    n_alpha, value = len(alpha), nuisances(state)
    precision = torch.zeros(n_alpha + len(value), n_alpha + len(value), dtype=torch.float64)
    pull = torch.zeros(n_alpha + len(value), dtype=torch.float64)
    scale = 1.0 / (problem.basis_sd * max(float(alpha[0]), 1e-3)).square()
    scale[0] = 1e-4   # a depth of 100 stellar areas: no prior, but a bounded matrix
    precision[range(n_alpha), range(n_alpha)] = scale
    pull[:n_alpha] = -scale * alpha
    k = n_alpha
    orbit_precision, orbit_pull = problem.prior.orbit_terms(orbit_point(state, problem.point))
    precision[k: k + 2, k: k + 2], pull[k: k + 2] = torch.as_tensor(orbit_precision), torch.as_tensor(orbit_pull)
    chi2 = float((scale[1:] * alpha[1:].square()).sum()) + _orbit_chi2(problem, state)
    gap = state.limb - problem.limb_mean
    precision[k + 2: k + SHARED, k + 2: k + SHARED] = problem.limb_precision
    pull[k + 2: k + SHARED] = -problem.limb_precision @ gap
    chi2 += float(gap @ problem.limb_precision @ gap)
    at = k + SHARED
    for visit, data, (airs_sd, fgs1_sd) in zip(state.visits, problem.data, problem.drift_sd):
        width = data.span[1] - data.span[0]
        means = torch.tensor([0.5 * (data.span[0] + data.span[1]), problem.prior.time_offset_mean], dtype=torch.float64)
        sds = torch.tensor([max(width, 1.0), problem.prior.time_offset_scatter], dtype=torch.float64)
        own = torch.cat([sds, airs_sd.reshape(-1), fgs1_sd])
        mean = torch.cat([means, torch.zeros(len(own) - 2, dtype=torch.float64)])
        local = value[at - k: at - k + len(own)] - mean
        where = torch.arange(at, at + len(own))
        precision[where, where], pull[where] = 1.0 / own.square(), -local / own.square()
        chi2 += float((local / own).square().sum())
        at += len(own)
    return precision, pull, chi2


def _orbit_chi2(problem: FitProblem, state: PlanetState) -> float:
    """-2 log of the orbit's two-component priors, up to a constant."""
    precision, pull = problem.prior.orbit_terms(orbit_point(state, problem.point))
    return float(pull @ np.linalg.pinv(precision) @ pull)


def run_fit(problem: FitProblem, state: PlanetState, alpha: Tensor, *, iterations: int, first_degree: int | None,
            robust_from: int) -> FitResult:
    """Iterate to the posterior's maximum; re-estimate the drift's size and the outliers on the way.

    ``first_degree``: raise the drift's degree in time one by one from here, or it eats the transit (WHAT_WINS §3);
    None: all degrees from the beginning.
    ``robust_from``: first iteration after which outliers lose weight.
    """
    settings, n_alpha = problem.settings, len(alpha)
    full_sd = [(a.clone(), f.clone()) for a, f in problem.drift_sd]
    stage = 99 if first_degree is None else first_degree
    problem.drift_sd = _staged(full_sd, stage, settings)
    normal = assemble(state, problem.data, problem.grid, settings=settings, robust=problem.robust)
    damping, done, converged = 1e-6, 0, False
    covariance = torch.eye(n_alpha + len(normal.nuisance_score), dtype=torch.float64)
    while done < iterations:
        precision, pull, prior_chi2 = prior_terms(problem, state, alpha)
        objective = normal.chi2 + prior_chi2
        b = problem.basis
        curvature = precision.clone()
        curvature[:n_alpha, :n_alpha] += b.T @ (normal.depth_information[:, None] * b)
        cross = b.T @ normal.coupling
        curvature[:n_alpha, n_alpha:] += cross
        curvature[n_alpha:, :n_alpha] += cross.T
        curvature[n_alpha:, n_alpha:] += normal.nuisance_information
        rhs = pull + torch.cat([b.T @ normal.depth_score, normal.nuisance_score])
        accepted = False
        for _ in range(6):
            damped = curvature + damping * torch.diag(curvature.diagonal())
            factor, info = torch.linalg.cholesky_ex(damped)
            if int(info) == 0:
                covariance = torch.cholesky_inverse(factor)
                step = _within_bounds(covariance @ rhs, covariance, n_alpha, state)
                new_alpha = alpha + step[:n_alpha].clamp(-0.5 * float(alpha[0].abs() + 1e-3), 0.5 * float(alpha[0].abs() + 1e-3))
                nuisance_step = _limit(step[n_alpha:], state)
                trial = moved(state, nuisance_step, new_alpha, problem, normal)
                trial_normal = assemble(trial, problem.data, problem.grid, settings=settings, robust=problem.robust)
                trial_objective = trial_normal.chi2 + prior_terms(problem, trial, new_alpha)[2]
                if math.isfinite(trial_objective) and trial_objective <= objective + 1e-3 * max(1.0, abs(objective)) * 1e-3:
                    accepted = True
                    break
            damping = max(damping * 30.0, 1e-4)
        done += 1
        if accepted:
            state, alpha, normal, objective = trial, new_alpha, trial_normal, trial_objective
            damping = max(damping / 30.0, 1e-9)
            size = float((step.abs() / covariance.diagonal().clamp_min(1e-300).sqrt()).max())
            full_sd = _learn_drift(full_sd, state, covariance, n_alpha, settings, stage)
        else:
            size = 0.0
        last_stage = stage >= max(a.shape[0] for a, _ in full_sd)
        if size < settings.tolerance and last_stage and done > robust_from:
            converged = accepted
            break
        if size < 0.5 or not accepted:
            stage += 1
        problem.drift_sd = _staged(full_sd, stage, settings)
        if robust_from <= done < robust_from + _ROBUST_UPDATES:
            old = problem.robust
            problem.robust = [outlier_factor(v.residual, v.base_weight, settings.outlier_threshold)
                              for v in normal.visits]
            if _changed(old, problem.robust):
                normal = assemble(state, problem.data, problem.grid, settings=settings, robust=problem.robust)
            else:
                problem.robust = old
    problem.drift_sd = full_sd
    objective = normal.chi2 + prior_terms(problem, state, alpha)[2]
    return FitResult(state=state, alpha=alpha, normal=normal, objective=objective, covariance=covariance,
                     iterations=done, converged=converged)


def _within_bounds(step: Tensor, covariance: Tensor, n_alpha: int, state: PlanetState) -> Tensor:
    """The best step that keeps 0 <= b^2 <= (reach - margin)^2: everything else follows when b^2 stops at a bound."""
    k = n_alpha + 1
    low, high = -state.impact2, (state.reach - _GRAZING_MARGIN) ** 2 - state.impact2
    allowed = float(step[k].clamp(low, max(high, low)))
    return step + covariance[:, k] / covariance[k, k] * (allowed - step[k])


def _changed(old: Sequence[Tensor] | None, new: Sequence[Tensor]) -> bool:
    """Whether outlier factors moved enough to linearise again."""
    if old is None:
        return any(float(f.min()) < 1.0 for f in new)
    return any(float((a - b).abs().max()) > 0.1 for a, b in zip(old, new))


def outlier_factor(residual: Tensor, base_weight: Tensor, threshold: float) -> Tensor:
    """Robust factor (T, W). The sensors are judged apart, but a time that most of AIRS-CH0 rejects is lost to FGS1 too."""
    z = residual * base_weight.sqrt()
    airs = robust_weights(z[:, 1:], threshold=threshold, share_by_time=True)
    fgs1 = robust_weights(z[:, :1], threshold=threshold, share_by_time=False)
    return torch.cat([fgs1 * airs.median(1, keepdim=True).values, airs], dim=1)


def drift_widths(settings: AnchorSettings, degree: int) -> Tensor:
    """Prior width of the drift's coefficients, degrees 1.. in time: slow changes are larger than fast ones."""
    return settings.drift_scatter * settings.drift_decay ** torch.arange(degree, dtype=torch.float64)


def _staged(full: list[tuple[Tensor, Tensor]], stage: int, settings: AnchorSettings) -> list[tuple[Tensor, Tensor]]:
    """Drift widths with the degrees beyond ``stage`` held at (almost) nothing."""
    tiny = 0.01 * settings.drift_scatter_floor
    out = []
    for airs, fgs1 in full:
        airs, fgs1 = airs.clone(), fgs1.clone()
        airs[stage:], fgs1[stage:] = tiny, tiny
        out.append((airs, fgs1))
    return out


def _learn_drift(full: list[tuple[Tensor, Tensor]], state: PlanetState, covariance: Tensor, n_alpha: int,
                 settings: AnchorSettings, stage: int) -> list[tuple[Tensor, Tensor]]:
    """One EM step for the drift's size per degree in time, shrunk to the population's."""
    variance, at, out = covariance.diagonal(), n_alpha + SHARED, []
    n0 = _DRIFT_PRIOR_POINTS
    for visit, (airs_sd, fgs1_sd) in zip(state.visits, full):
        rows, terms = visit.airs_drift.shape
        airs_var = variance[at + 2: at + 2 + rows * terms].reshape(rows, terms)
        fgs1_var = variance[at + 2 + rows * terms: at + 2 + rows * terms + len(visit.fgs1_drift)]
        base = drift_widths(settings, rows).square()
        airs = ((visit.airs_drift.square() + airs_var).sum(1) + n0 * base) / (terms + n0)
        base = drift_widths(settings, len(visit.fgs1_drift)).square()
        fgs1 = (visit.fgs1_drift.square() + fgs1_var + n0 * base) / (1.0 + n0)
        airs, fgs1 = (v.clamp_min(settings.drift_scatter_floor**2).sqrt() for v in (airs, fgs1))
        new_airs, new_fgs1 = airs_sd.clone(), fgs1_sd.clone()
        new_airs[:stage], new_fgs1[:stage] = airs[:stage, None], fgs1[:stage]
        out.append((new_airs, new_fgs1))
        at += 2 + rows * terms + len(visit.fgs1_drift)
    return out
