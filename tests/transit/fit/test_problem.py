from __future__ import annotations

import torch

from spectramind_kit.transit.fit.first_states import initial_states
from spectramind_kit.transit.fit.problem import FitProblem
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.likelihood.planet_batch import take


def test_some_planets_are_the_same_problem(problem: FitProblem) -> None:
    """Guards against a planet that is tried with another planet's light curve, priors or outliers."""
    start = Start((3.5, 3.6), 1.6, 0.05, 0.012)
    state, _ = initial_states(problem, [start, start])
    both = problem.linearised(problem.planets, state)
    second = problem.of([1])
    alone = second.linearised(second.planets, take(state, [1]))
    assert torch.equal(alone.chi2, both.chi2[1:]) and torch.equal(alone.residual, both.residual[1:])
    assert float(both.chi2[0]) != float(both.chi2[1])
    assert second.basis is problem.basis and len(second.planets.limb_mean) == 1
