from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.fit.first_states import default_limb, fit_problem, initial_states, refined_states
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import Assumptions, FitProblem
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.fit.steps import run_fit
from spectramind_kit.transit.likelihood.parameters import LIMB_NAMES
from tests.transit.synthetic import WAVELENGTH

START = Start((3.5, 3.6), 1.6, 0.05, 0.012)


def test_default_limb_darkening_stands_in_its_places() -> None:
    """Guards against FGS1's law in AIRS-CH0, and a slope that may vary like a level."""
    mean, sd = default_limb(AnchorSettings(fgs1_limb_darkening=(0.5, 0.1), airs_limb_darkening=(0.2, 0.3)))
    told = dict(zip(LIMB_NAMES, mean))
    assert (told["fgs1_u1"], told["fgs1_u2"], told["airs_u1"], told["airs_u2"]) == (0.5, 0.1, 0.2, 0.3)
    assert told["airs_u1_slope"] == told["airs_u2_curve"] == 0.0
    width = dict(zip(LIMB_NAMES, sd))
    assert width["airs_u1"] == width["fgs1_u2"] > width["airs_u2_slope"] > width["airs_u1_curve"]


def test_learned_limb_darkening_follows_the_star(cases: list[PlanetCase], assumptions: Assumptions) -> None:
    """Guards against learned priors that the fit does not use."""
    learned = replace(
        assumptions.prior,
        limb_mean=np.stack([np.full(8, 0.2), np.full(8, 0.01)]),
        limb_covariance=np.eye(8) * 0.02**2,
    )
    visits = [case.visits for case in cases]
    problem = fit_problem(cases, visits, WAVELENGTH, replace(assumptions, prior=learned))
    for case, mean in zip(cases, problem.planets.limb_mean):
        assert mean.tolist() == pytest.approx([0.2 + 0.01 * (case.star["Ts"] - 5800.0) / 500.0] * 8)
    assert problem.planets.limb_precision[1].diagonal().tolist() == pytest.approx([2500.0] * 8)


def test_starts_are_flat_spectra_within_what_can_be_fitted(problem: FitProblem) -> None:
    """Guards against a start without a planet, or with one that grazes: neither has a slope."""
    wild = replace(START, depth=3.0, impact2=9.0)
    state, alpha = initial_states(problem, [START, wild])
    assert state.depth[0].tolist() == pytest.approx([0.012] * 7) and state.depth[1, 0] == pytest.approx(0.2)
    assert torch.equal(state.depth, alpha @ problem.basis.T)
    assert float(state.impact2[1]) < float(state.reach[1]) ** 2
    assert state.mid_time[0].tolist() == [3.5, 3.6] and float(state.airs_drift.abs().max()) == 0.0


def test_the_bands_solution_goes_on_at_all_wavelengths(
    problem: FitProblem, cases: list[PlanetCase], assumptions: Assumptions
) -> None:
    """Guards against a second half of the fit that begins anew."""
    state, alpha = initial_states(problem, [START, START])
    best = run_fit(problem, state, alpha, iterations=3, first_degree=1, robust_from=9)
    whole = fit_problem(cases, [case.visits for case in cases], WAVELENGTH, assumptions)
    refined, refined_alpha = refined_states(best, whole)
    assert refined.depth.shape == (2, 283) and torch.equal(refined.mid_time, best.state.mid_time)
    assert torch.allclose(refined.semi_major_axis, best.state.semi_major_axis)
    assert torch.allclose(refined_alpha[:, :2], best.alpha[:, :2])
    assert torch.allclose(refined.depth[:, 1:], best.alpha[:, :1].expand(-1, 282))
