from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from spectramind_kit.transit.fit.first_states import initial_states
from spectramind_kit.transit.fit.problem import FitProblem, FitResult
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.fit.steps import moved, objective, prior_terms, run_fit
from spectramind_kit.transit.likelihood.parameters import SHARED, nuisances
from spectramind_kit.transit.likelihood.planet_batch import take

STARTS = [Start((3.5, 3.6), 1.6, 0.05, 0.012), Start((3.4, 3.3), 1.5, 0.2, 0.01)]


@pytest.fixture(scope="module")
def fitted(problem: FitProblem) -> FitResult:
    return run_fit(problem, *initial_states(problem, STARTS), iterations=16, first_degree=2, robust_from=1)


def test_priors_pull_down_their_own_chi2(problem: FitProblem) -> None:
    """Guards against a pull that is not the slope of the chi^2 that the steps are judged by."""
    state, alpha = initial_states(problem, STARTS)
    alpha[:, 2] = 1e-4
    generator, step = torch.Generator().manual_seed(0), 1e-6
    away = 1e-2 * torch.randn(nuisances(state).shape, generator=generator, dtype=torch.float64)
    state = moved(state, away, alpha, problem.basis)
    _, pull, _ = prior_terms(problem, problem.planets, state, alpha)
    for k in (0, 1, 4, SHARED, SHARED + 1, SHARED + 3):
        by = torch.zeros_like(away)
        by[:, k] = step
        ends = (moved(state, sign * by, alpha, problem.basis) for sign in (1.0, -1.0))
        up, down = (prior_terms(problem, problem.planets, end, alpha)[2] for end in ends)
        numeric = -(up - down) / (4 * step)  # of chi^2 / 2
        assert torch.allclose(pull[:, alpha.shape[1] + k], numeric, rtol=1e-3, atol=1e-4), k


def test_a_step_goes_into_every_nuisance(problem: FitProblem) -> None:
    """Guards against a step that lands in another nuisance, or leaves the orbits that hide something."""
    state, alpha = initial_states(problem, STARTS)
    before = nuisances(state)
    step = torch.full_like(before, 1e-3)
    after = moved(state, step, alpha, problem.basis)
    assert torch.allclose(nuisances(after) - before, step)
    far = moved(state, 1e3 * step.sign(), alpha, problem.basis)
    assert bool((far.impact2 < far.reach.square()).all()) and float(far.log_duration.max()) <= math.log(30.0)
    assert float(moved(state, -1e3 * step.sign(), alpha, problem.basis).impact2.min()) == 0.0


def test_a_fit_ends_at_the_top_of_its_posterior(problem: FitProblem, fitted: FitResult) -> None:
    """Guards against a fit that says it has converged where the posterior still rises."""
    assert bool(fitted.converged.all())
    planets = fitted.planets
    _, pull, _ = prior_terms(problem, planets, fitted.state, fitted.alpha)
    normal = problem.linearised(planets, fitted.state)
    score = torch.cat([normal.depth_score @ problem.basis, normal.nuisance_score], 1) + pull
    sd = fitted.covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert float(((fitted.covariance @ score[..., None])[..., 0] / sd).abs().max()) < 0.2  # sigma to go
    assert bool((fitted.normal.chi2 < 2.0 * (planets.data.weight > 0).sum((1, 2, 3))).all())


def test_a_fit_never_gets_worse(problem: FitProblem, fitted: FitResult) -> None:
    """Guards against a step that is taken although the posterior falls."""
    state, alpha = initial_states(problem, STARTS)
    plain = dict(first_degree=None, robust_from=99)
    values = [
        objective(
            problem, replace(run_fit(problem, state, alpha, iterations=n, **plain), planets=problem.planets)
        )
        for n in (1, 3, 6)
    ]
    assert all(bool((b <= a + 1e-6 * a.abs()).all()) for a, b in pairwise(values))


def test_planets_go_their_own_way(problem: FitProblem, fitted: FitResult) -> None:
    """Guards against a planet that is stopped, damped or reordered because another one is at its end."""
    one = problem.of([1])
    alone = run_fit(one, *initial_states(one, STARTS[1:]), iterations=16, first_degree=2, robust_from=1)
    beside = take(fitted, [1])
    assert int(alone.steps) == int(beside.steps) and torch.allclose(alone.alpha, beside.alpha, rtol=1e-6)
    assert torch.allclose(alone.state.mid_time, beside.state.mid_time, atol=1e-6)
