from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectramind_kit.transit.likelihood.parameters import (
    LIMB_NAMES,
    SHARED,
    SHARED_NAMES,
    Grid,
    PlanetState,
    legendre,
    nuisances,
    time_basis,
    visit_names,
)

N, V, A, Q, A_F = 2, 2, 3, 4, 2
NAMES = [
    *SHARED_NAMES,
    *(n for v in range(V) for n in visit_names(v, airs_degree=A, lambda_terms=Q, fgs1_degree=A_F)),
]


def _state() -> PlanetState:
    def numbers(*shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=torch.float64)

    return PlanetState(
        *(numbers(N) for _ in range(4)),
        limb=numbers(N, len(LIMB_NAMES)),
        depth=numbers(N, 6),
        mid_time=numbers(N, V),
        time_offset=numbers(N, V),
        airs_drift=numbers(N, V, A, Q),
        fgs1_drift=numbers(N, V, A_F),
    )


@pytest.mark.parametrize(
    ("field", "place", "name"),
    [
        ("impact2", (), "impact2"),
        ("limb", (5,), "airs_u2"),
        ("mid_time", (1,), "mid_time_1"),
        ("time_offset", (0,), "time_offset_0"),
        ("airs_drift", (1, 2, 3), "airs_drift_1_3_3"),
        ("fgs1_drift", (0, 1), "fgs1_drift_0_2"),
    ],
)
def test_a_nuisance_stands_where_its_name_says(field: str, place: tuple, name: str) -> None:
    """Guards against a prior that is laid on the neighbour of the nuisance that it is meant for."""
    state = _state()
    assert len(NAMES) == SHARED + V * state.n_own == nuisances(state).shape[1]
    value = getattr(state, field).clone()
    value[(1, *place)] = 7.0
    vector = nuisances(replace(state, **{field: value}))
    assert float(vector[1, NAMES.index(name)]) == 7.0 and float(vector.abs().sum()) == 7.0


def test_limb_darkening_is_a_parabola_with_fgs1_apart() -> None:
    """Guards against coefficients of one sensor that move the other."""
    grid = Grid.build(torch.tensor([0.7, 2.0, 2.5, 3.0, 3.5, 4.0]).double(), degree=2, low=2.0, high=4.0)
    limb = torch.tensor([[0.5, 0.2, 0.1, 0.03, 0.01, 0.15, 0.0, 0.0]]).double()
    u1, u2 = replace(_state(), limb=limb).limb_darkening(grid)
    x = np.linspace(-1.0, 1.0, 5)
    assert u1[0, 1:].numpy() == pytest.approx(0.1 + 0.03 * x + 0.01 * (1.5 * x**2 - 0.5))
    assert u2[0].tolist() == pytest.approx([0.2, *[0.15] * 5]) and float(u1[0, 0]) == 0.5


@pytest.mark.parametrize("degree", [0, 1, 5])
def test_polynomials_are_legendres(degree: int) -> None:
    """Guards against a recurrence that is off by one degree; degree 0 in time is the star's level."""
    x = torch.linspace(-1.0, 1.0, 21, dtype=torch.float64)
    expected = np.polynomial.legendre.legvander(x.numpy(), degree).T
    assert legendre(x, degree).numpy() == pytest.approx(expected)
    in_time = time_basis(2.0 + 3.0 * x, degree, start=-1.0, end=5.0)
    assert in_time.shape == (degree, 21) and in_time.numpy() == pytest.approx(expected[1:])
