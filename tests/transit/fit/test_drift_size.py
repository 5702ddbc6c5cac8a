from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.fit.drift_size import drift_widths, learn_drift, staged
from spectramind_kit.transit.fit.first_states import initial_states
from spectramind_kit.transit.fit.problem import FitProblem
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.likelihood.parameters import PlanetState, nuisances

SETTINGS = AnchorSettings()
ALL = torch.tensor([4, 4])


def _state(problem: FitProblem) -> PlanetState:
    return initial_states(problem, [Start((3.5, 3.6), 1.6, 0.05, 0.012)] * 2)[0]


def _learned(problem: FitProblem, state: PlanetState, stage: torch.Tensor):
    k = nuisances(state).shape[1]
    known = torch.zeros(2, k, k, dtype=torch.float64)  # the data determine every coefficient
    return learn_drift(problem.planets, state, known, settings=SETTINGS, stage=stage)


def test_slow_changes_are_larger() -> None:
    """Guards against a prior that lets the fastest drift eat the transit."""
    widths = drift_widths(SETTINGS, 4)
    assert widths[0] == SETTINGS.drift_scatter and bool((widths[1:] < widths[:-1]).all())


def test_degrees_beyond_the_stage_are_held(problem: FitProblem) -> None:
    """Guards against a planet whose drift is freed, or held, because another planet's is."""
    held = staged(problem.planets, torch.tensor([1, 4]), SETTINGS)
    before = problem.planets
    assert torch.equal(held.airs_drift_sd[1], before.airs_drift_sd[1])
    assert torch.equal(held.airs_drift_sd[0, :, 0], before.airs_drift_sd[0, :, 0])
    for sd in (held.airs_drift_sd[0, :, 1:], held.fgs1_drift_sd[0, :, 1:]):
        assert float(sd.max()) < 0.02 * SETTINGS.drift_scatter_floor
    assert staged(before, ALL, SETTINGS) is before


def test_a_visit_that_drifts_more_is_allowed_to(problem: FitProblem) -> None:
    """Guards against a drift that its own prior bends into the transit, or a size that visits share."""
    state = _state(problem)
    drift = state.airs_drift.clone()
    drift[0, 1, 0] = 5e-3
    learned = _learned(problem, replace(state, airs_drift=drift), ALL)
    widths = learned.airs_drift_sd
    assert float(widths[0, 1, 0, 0]) > 5.0 * float(problem.planets.airs_drift_sd[0, 1, 0, 0])
    assert float(widths[0, 1, 0, 0]) < 5e-3  # shrunk to the population's
    assert float(widths[0, 0].max()) < float(problem.planets.airs_drift_sd[0, 0].max())
    assert float(widths.min()) >= SETTINGS.drift_scatter_floor * (1.0 - 1e-9)


def test_what_is_held_is_not_learned(problem: FitProblem) -> None:
    """Guards against a degree that the data never saw and whose size shrinks to nothing."""
    learned = _learned(problem, _state(problem), torch.tensor([2, 2]))
    assert torch.equal(learned.airs_drift_sd[:, :, 2:], problem.planets.airs_drift_sd[:, :, 2:])
    assert torch.equal(learned.fgs1_drift_sd[:, :, 2:], problem.planets.fgs1_drift_sd[:, :, 2:])
    assert float(learned.fgs1_drift_sd[0, 0, 0]) == pytest.approx(SETTINGS.drift_scatter * (2.0 / 3.0) ** 0.5)
