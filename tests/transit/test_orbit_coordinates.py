from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.transit.orbit import half_duration, projected_separation
from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates

SINCE_MID = torch.linspace(-4.0, 4.0, 81, dtype=torch.float64)[None, None]


def _orbit(*, axis: float = 10.5, impact2: float = 0.1) -> OrbitCoordinates:
    period, reach, b2 = (torch.tensor([v], dtype=torch.float64) for v in (4.2, 1.11, impact2))
    width = half_duration(period_d=period, semi_major_axis=axis, impact2=b2, reach=reach)
    return OrbitCoordinates(period, reach, width.log(), b2)


@pytest.mark.parametrize(("axis", "impact2"), [(10.5, 0.0), (6.0, 0.3), (14.0, 1.0)])
def test_are_the_orbit_that_they_are_made_from(axis: float, impact2: float) -> None:
    """Guards against a/Rs and b^2 that do not survive the way to ln W and back, the far side included."""
    orbit = _orbit(axis=axis, impact2=impact2)
    assert float(orbit.semi_major_axis) == pytest.approx(axis, rel=1e-12)
    time = torch.linspace(-60.0, 60.0, 301, dtype=torch.float64)
    how = dict(mid_transit_time=0.0, period_d=4.2, semi_major_axis=axis, impact_parameter=impact2**0.5)
    expected = projected_separation(time, **how)
    assert torch.allclose(orbit.separation(time[None, None]).z[0, 0], expected, atol=1e-5)


def test_another_radius_is_the_same_orbit() -> None:
    """Guards against a fit that goes on from the bands' solution with another a/Rs."""
    orbit = _orbit()
    other = orbit.with_reach(torch.tensor([1.2], dtype=torch.float64))
    assert float(other.semi_major_axis) == pytest.approx(float(orbit.semi_major_axis), rel=1e-12)
    assert torch.allclose(other.separation(SINCE_MID).z, orbit.separation(SINCE_MID).z)
    assert float(other.log_duration) > float(orbit.log_duration)


@pytest.mark.parametrize("impact2", [1e-4, 0.3])
def test_slopes_equal_finite_differences(impact2: float) -> None:
    """Guards against a derivative of the wrong sign or unit: the fit would creep or leave."""
    orbit, step = _orbit(impact2=impact2), 1e-6
    here = orbit.separation(SINCE_MID)

    def numeric(name: str) -> torch.Tensor:
        up, down = (
            replace(orbit, **{name: getattr(orbit, name) + s}).separation(SINCE_MID).z for s in (step, -step)
        )
        return (up - down) / (2 * step)

    assert torch.allclose(here.by_log_duration, numeric("log_duration"), rtol=1e-5, atol=1e-5)
    assert torch.allclose(here.by_impact2, numeric("impact2"), rtol=1e-4, atol=1e-4)
    earlier, later = (orbit.separation(SINCE_MID - s).z for s in (-step, step))
    assert torch.allclose(here.by_mid_time, (later - earlier) / (2 * step), rtol=1e-4, atol=1e-4)


def test_a_duration_is_bounded() -> None:
    """Guards against NaN where the planet never comes so near, and for an orbit inside its star."""
    beyond = half_duration(period_d=4.2, semi_major_axis=10.5, impact2=1.5, reach=1.11)
    assert 0.0 < float(beyond) < 0.5
    assert float(half_duration(period_d=4.2, semi_major_axis=0.9, impact2=0.0, reach=1.11)) == pytest.approx(
        4.2 * 24 / 4
    )
