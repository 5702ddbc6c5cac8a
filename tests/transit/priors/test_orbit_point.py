from __future__ import annotations

import math

import pytest
import torch

from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates
from spectramind_kit.transit.priors.orbit_point import OrbitPoint, kepler_axis

TABLE = {"catalogue_axis": 9.0, "catalogue_impact": 0.3, "kepler_axis": 9.5}
ORBITS = [
    {"period_d": 3.0, "reach": 1.1, "log_duration": math.log(1.2), "impact2": 0.1, **TABLE},
    {"period_d": 5.0, "reach": 1.12, "log_duration": math.log(1.6), "impact2": 0.5, **TABLE},
]


def test_slope_of_the_axis_is_its_derivative() -> None:
    """Guards against an orbit prior that pulls in the wrong direction."""
    point = OrbitPoint.stacked(ORBITS)
    width, impact2 = (getattr(point, n).clone().requires_grad_() for n in ("log_duration", "impact2"))
    moved = point.at(OrbitCoordinates(point.period_d, point.reach, width, impact2))
    expected = torch.stack(torch.autograd.grad(moved.log_axis.sum(), (width, impact2)), dim=-1)
    assert torch.allclose(point.log_axis_slope(), expected)


def test_another_orbit_keeps_the_star_table() -> None:
    """Guards against a table that is replaced by the fit's own orbit, which would then agree with itself."""
    point = OrbitPoint.stacked(ORBITS)
    moved = point.at(OrbitPoint.stacked(ORBITS[::-1]))
    assert moved.period_d.tolist() == [5.0, 3.0]
    assert torch.equal(moved.catalogue_axis, point.catalogue_axis)


def test_plain_numbers_and_back() -> None:
    """Guards against a stored orbit that lacks a field or mixes two."""
    assert OrbitPoint.stacked(ORBITS[1:]).to_mapping() == pytest.approx(ORBITS[1])


@pytest.mark.parametrize(
    ("star", "axis"),
    [
        ({"Ms": 1.0, "Rs": 1.0}, 215.0),  # the Earth: 1 au in solar radii
        ({"Ms": 8.0, "Rs": 2.0}, 215.0),
        ({"Rs": 1.0}, None),
        ({"Ms": float("nan"), "Rs": 1.0}, None),
        ({"Ms": 1.0, "Rs": 0.0}, None),
    ],
)
def test_keplers_third_law(star: dict[str, float], axis: float | None) -> None:
    """Guards against a constant in other units, and a broken row of the star table of infinite axis."""
    found = kepler_axis(star, 365.25)
    assert found is None if axis is None else found == pytest.approx(axis, rel=1e-3)
