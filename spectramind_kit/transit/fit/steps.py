"""Levenberg-Marquardt over all wavelengths of many planets: spectra (in a smooth basis) and nuisances.

Every planet goes its own way (its own damping, drift degree, outliers, end); they only share the tensors.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from spectramind_kit.transit.fit.drift_size import learn_drift, staged
from spectramind_kit.transit.fit.outliers import outlier_factor
from spectramind_kit.transit.fit.problem import FitProblem, FitResult, PlanetInputs
from spectramind_kit.transit.likelihood.parameters import DEPTH_FLOOR, SHARED, PlanetState, nuisances
from spectramind_kit.transit.likelihood.planet_batch import choose, join, put, take
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior

_STEP_LIMIT = {"log_duration": 0.25, "impact2": 0.25, "limb": 0.3, "mid_time": 0.3}
_GRAZING_MARGIN = 0.03  # b stays below reach - margin: beyond it nothing is hidden and nothing has a slope
_ROBUST_UPDATES = 6  # a long glitch loses its pull step by step
_TRIES = 6  # dampings that a step is tried with
_ALL_DEGREES = 99


def _step_limits(state: PlanetState) -> Tensor:
    """(K,)"""
    visits, own = state.mid_time.shape[1], state.n_own
    limits = torch.full((SHARED + visits * own,), math.inf, dtype=torch.float64, device=state.depth.device)
    limits[0], limits[1], limits[2:SHARED] = (_STEP_LIMIT[k] for k in ("log_duration", "impact2", "limb"))
    limits[SHARED:].unflatten(0, (visits, own))[:, :2] = _STEP_LIMIT["mid_time"]
    return limits


def moved(state: PlanetState, step: Tensor, alpha: Tensor, basis: Tensor) -> PlanetState:
    """The states after a step (N, K) in the nuisances and with new spectra."""
    _, visits, degree, terms = state.airs_drift.shape
    own = step[:, SHARED:].unflatten(1, (visits, -1))
    impact2 = (state.impact2 + step[:, 1]).clamp_min(0.0)
    return replace(
        state,
        log_duration=(state.log_duration + step[:, 0]).clamp(math.log(0.1), math.log(30.0)),
        impact2=torch.minimum(impact2, (state.reach - _GRAZING_MARGIN).square()),
        limb=state.limb + step[:, 2:SHARED],
        depth=(alpha @ basis.T).clamp(DEPTH_FLOOR, 0.5),
        mid_time=state.mid_time + own[..., 0],
        time_offset=state.time_offset + own[..., 1],
        airs_drift=state.airs_drift + own[..., 2 : 2 + degree * terms].unflatten(-1, (degree, terms)),
        fgs1_drift=state.fgs1_drift + own[..., 2 + degree * terms :],
    )


def prior_terms(
    problem: FitProblem, planets: PlanetInputs, state: PlanetState, alpha: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Precision (N, M + K, M + K) and pull (N, M + K) of all priors at a state, and their chi^2 (N,)."""
    scale = 1.0 / (problem.basis_sd * alpha[:, :1].clamp_min(1e-3)).square()
    # a depth of 100 stars: no prior, but a bounded matrix
    scale = torch.cat([torch.full_like(scale[:, :1], 1e-4), scale[:, 1:]], dim=1)
    orbit_precision, orbit_pull, orbit_chi2 = problem.prior.orbit_terms(planets.point.at(state))
    limb_gap = state.limb - planets.limb_mean
    limb_pull = -(planets.limb_precision @ limb_gap[..., None])[..., 0]
    mean, sd = own_priors(planets, problem.prior)
    gap = nuisances(state)[:, SHARED:] - mean
    own_precision = 1.0 / sd.square()
    diagonal = torch.cat([scale, torch.zeros_like(gap[:, :1]).expand(-1, SHARED), own_precision], dim=1)
    precision, k = torch.diag_embed(diagonal), alpha.shape[1]
    precision[:, k : k + 2, k : k + 2] = orbit_precision
    precision[:, k + 2 : k + SHARED, k + 2 : k + SHARED] = planets.limb_precision
    pull = torch.cat([-scale * alpha, orbit_pull, limb_pull, -own_precision * gap], dim=1)
    shape_chi2 = (scale[:, 1:] * alpha[:, 1:].square()).sum(1)
    own_chi2 = (own_precision * gap.square()).sum(1)
    return precision, pull, orbit_chi2 + shape_chi2 - (limb_gap * limb_pull).sum(1) + own_chi2


def own_priors(planets: PlanetInputs, prior: NuisancePrior) -> tuple[Tensor, Tensor]:
    """Mean and width (N, V * K_own) of the nuisances that belong to visits: clocks and drift."""
    data = planets.data
    middle, width = 0.5 * (data.start + data.end), (data.end - data.start).clamp_min(1.0)
    clocks = torch.stack([width, torch.full_like(width, prior.time_offset_scatter)], dim=-1)
    sd = torch.cat([clocks, planets.airs_drift_sd.flatten(-2), planets.fgs1_drift_sd], dim=-1)
    mean = torch.zeros_like(sd)
    mean[..., 0], mean[..., 1] = middle, prior.time_offset_mean
    return mean.flatten(1), sd.flatten(1)


def run_fit(
    problem: FitProblem,
    state: PlanetState,
    alpha: Tensor,
    *,
    iterations: int,
    first_degree: int | None,
    robust_from: int,
) -> FitResult:
    """Iterate to the posterior's maximum; re-estimate the drift's size and the outliers on the way.

    ``first_degree``: raise the drift's degree in time one by one from here, or it eats the transit
    (docs/decisions.md D13); None: all degrees from the beginning.
    ``robust_from``: first iteration after which outliers lose weight.
    """
    n, device = len(alpha), alpha.device
    normal = problem.linearised(problem.planets, state)
    size = alpha.shape[1] + normal.nuisance_score.shape[1]
    whole = dict(dtype=torch.long, device=device)
    run = FitResult(
        planets=problem.planets,
        state=state,
        alpha=alpha,
        normal=normal,
        covariance=torch.eye(size, dtype=torch.float64, device=device).expand(n, -1, -1),
        damping=torch.full((n,), 1e-6, dtype=torch.float64, device=device),
        tries=torch.zeros(n, **whole),
        steps=torch.zeros(n, **whole),
        stage=torch.full((n,), first_degree or _ALL_DEGREES, **whole),
        converged=torch.zeros(n, dtype=torch.bool, device=device),
    )
    order, ended_order, ended = torch.arange(n, device=device), [], []
    while True:
        run, over = _advance(problem, run, iterations=iterations, robust_from=robust_from)
        if bool(over.any()):
            ended.append(take(run, over))
            ended_order.append(order[over])
            if bool(over.all()):
                break
            run, order = take(run, ~over), order[~over]
    return take(join(ended), torch.argsort(torch.cat(ended_order)))


def objective(problem: FitProblem, run: FitResult) -> Tensor:
    """-2 log posterior (N,), up to a constant of the planet."""
    return run.normal.chi2 + prior_terms(problem, run.planets, run.state, run.alpha)[2]


def _advance(
    problem: FitProblem, run: FitResult, *, iterations: int, robust_from: int
) -> tuple[FitResult, Tensor]:
    """One trial step of every planet; which of them are at their end (N,)."""
    settings, n_alpha = problem.settings, run.alpha.shape[1]
    planets = staged(run.planets, run.stage, settings)
    precision, pull, prior_chi2 = prior_terms(problem, planets, run.state, run.alpha)
    before = run.normal.chi2 + prior_chi2
    curvature, rhs = _curvature(problem, run, precision, pull)
    diagonal = curvature.diagonal(dim1=-2, dim2=-1)
    factor, info = torch.linalg.cholesky_ex(curvature + torch.diag_embed(run.damping[:, None] * diagonal))
    covariance = torch.cholesky_inverse(factor)
    step = _within_bounds((covariance @ rhs[..., None])[..., 0], covariance, n_alpha, run.state)
    most, limits = 0.5 * (run.alpha[:, :1].abs() + 1e-3), _step_limits(run.state)
    alpha = run.alpha + step[:, :n_alpha].clamp(-most, most)
    state = moved(run.state, step[:, n_alpha:].clamp(-limits, limits), alpha, problem.basis)
    normal = problem.linearised(planets, state)
    after = normal.chi2 + prior_terms(problem, planets, state, alpha)[2]

    good = (info == 0) & torch.isfinite(after) & (after <= before + 1e-6 * before.abs().clamp_min(1.0))
    tries = torch.where(good, 0, run.tries + 1)
    turn = good | (tries >= _TRIES)  # this step is over, taken or given up
    sigma = covariance.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
    size = torch.where(good, (step.abs() / sigma).amax(1), 0.0)
    steps, last = run.steps + turn, run.stage >= run.planets.airs_drift_sd.shape[2]
    settled = turn & (size < settings.tolerance) & last & (steps > robust_from)
    higher = turn & ~settled & ((size < 0.5) | ~good)
    nuisance_covariance = covariance[:, n_alpha:, n_alpha:]
    learned = learn_drift(run.planets, state, nuisance_covariance, settings=settings, stage=run.stage)
    taken = replace(run, planets=learned, state=state, alpha=alpha, normal=normal, covariance=covariance)
    new = replace(
        choose(good, taken, run),
        damping=torch.where(good, (run.damping / 30.0).clamp_min(1e-9), (run.damping * 30.0).clamp_min(1e-4)),
        tries=torch.where(turn, 0, tries),
        steps=steps,
        stage=run.stage + higher,
        converged=settled & good,
    )
    due = turn & ~settled & (steps >= robust_from) & (steps < robust_from + _ROBUST_UPDATES)
    over = settled | (turn & (steps >= iterations))
    return (_reweighted(problem, new, due) if bool(due.any()) else new), over


def _curvature(problem: FitProblem, run: FitResult, precision: Tensor, pull: Tensor) -> tuple[Tensor, Tensor]:
    """Of the posterior at the present state, and its gradient."""
    b, normal, m = problem.basis, run.normal, run.alpha.shape[1]
    curvature = precision
    curvature[:, :m, :m] += b.T @ (normal.depth_information[..., None] * b)
    cross = b.T @ normal.coupling
    curvature[:, :m, m:] += cross
    curvature[:, m:, :m] += cross.mT
    curvature[:, m:, m:] += normal.nuisance_information
    return curvature, pull + torch.cat([normal.depth_score @ b, normal.nuisance_score], dim=1)


def _within_bounds(step: Tensor, covariance: Tensor, n_alpha: int, state: PlanetState) -> Tensor:
    """The best steps that keep 0 <= b^2 <= (reach - margin)^2: all else follows when b^2 stops at a bound."""
    k = n_alpha + 1
    low = -state.impact2
    high = torch.maximum((state.reach - _GRAZING_MARGIN).square() - state.impact2, low)
    allowed = step[:, k].clamp(low, high)
    return step + covariance[:, :, k] / covariance[:, k, k, None] * (allowed - step[:, k])[:, None]


def _reweighted(problem: FitProblem, run: FitResult, due: Tensor) -> FitResult:
    """Outlier factors from the present residuals; where they moved, the planet is linearised again."""
    factor = outlier_factor(run.normal.residual, run.normal.base_weight, problem.settings.outlier_threshold)
    moved_most = (factor - run.planets.robust).abs().flatten(1).amax(1)
    changed = due & torch.where(run.planets.has_outliers, moved_most > 0.1, factor.flatten(1).amin(1) < 1.0)
    if not bool(changed.any()):
        return run
    planets = replace(
        run.planets,
        robust=choose(changed, factor, run.planets.robust),
        has_outliers=run.planets.has_outliers | changed,
    )
    where = changed.nonzero()[:, 0]
    fresh = problem.linearised(take(planets, where), take(run.state, where))
    return replace(run, planets=planets, normal=put(run.normal, where, fresh))
