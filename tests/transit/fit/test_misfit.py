from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.transit.fit.misfit import sensor_chi2, trusted_weights, visit_disagreement
from spectramind_kit.transit.fit.normal_equations import VisitEquations
from spectramind_kit.transit.likelihood.parameters import SHARED

W, T, OWN = 9, 150, 3


def test_chi2_is_each_sensors_own() -> None:
    """Guards against a chi^2 that counts missing points, or FGS1 among 282 others."""
    residual = torch.randn(W, T, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.ones(W, T, dtype=torch.float64)
    weight[3, :50], residual[3, :50] = 0.0, 1e3
    residual[0] *= 2.0
    (airs, fgs1), (airs_chance, fgs1_chance) = sensor_chi2(weight, residual)
    assert float(airs) == pytest.approx(1.0, abs=4 * float(airs_chance))
    assert float(fgs1) == pytest.approx(4.0, abs=16 * float(fgs1_chance)) and fgs1_chance > 2 * airs_chance


def test_chance_costs_no_information() -> None:
    """Guards against errors that grow with every chi^2 above one."""
    weight = torch.ones(1, 1, W, T, dtype=torch.float64)
    chi2, chance = torch.tensor([[[1.1, 2.0]]]).double(), torch.tensor([[[0.05, 0.1]]]).double()
    trusted = trusted_weights(weight, chi2, chance)[0, 0]
    assert bool((trusted[1:] == 1.0).all()) and trusted[0].unique().tolist() == [0.5]


def _visits(gap: float) -> VisitEquations:
    """Two visits whose depths are known to 1e-4 / sqrt(W - 1) each, and differ by ``gap``."""
    information = torch.full((2, W), 1e8, dtype=torch.float64)
    columns = SHARED + OWN
    return VisitEquations(
        information=torch.zeros(2, columns, columns, dtype=torch.float64),
        coupling=torch.zeros(2, W, columns, dtype=torch.float64),
        depth_information=information,
        depth_score=information * torch.tensor([[0.0], [gap]], dtype=torch.float64),
        score=torch.zeros(2, columns, dtype=torch.float64),
    )


def test_visits_that_disagree() -> None:
    """Guards against a difference in the wrong unit or with the error of one visit."""
    sd = torch.ones(2, OWN, dtype=torch.float64)
    gap, sigma = visit_disagreement(_visits(3e-4), sd)
    assert gap == pytest.approx(3e-4, rel=1e-6) and sigma == pytest.approx(3.0 * (8 / 2) ** 0.5, rel=1e-6)
    one = _visits(3e-4)
    one = replace(one, **{name: value[:1] for name, value in vars(one).items()})
    assert visit_disagreement(one, sd[:1]) == (0.0, 0.0)
