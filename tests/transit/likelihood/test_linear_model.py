from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.transit import light_curve_model
from spectramind_kit.transit.likelihood.linear_model import SensorView, transit_parts
from spectramind_kit.transit.orbit import half_duration
from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates

AXIS, PERIOD, IMPACT = 9.0, 4.1, 0.4
TIME = torch.linspace(0.0, 7.5, 101, dtype=torch.float64)[None, None]
EXPOSURE = torch.tensor([[0.075]], dtype=torch.float64)


def _numbers(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _case() -> tuple[OrbitCoordinates, SensorView]:
    period, reach, b2 = _numbers(PERIOD)[0], _numbers(1.11)[0], _numbers(IMPACT**2)[0]
    width = half_duration(period_d=period, semi_major_axis=AXIS, impact2=b2, reach=reach)
    view = SensorView(
        _numbers(3.6), _numbers(0.0118, 0.012, 0.0123), _numbers(0.4, 0.3, 0.2), _numbers(0.1, 0.15, 0.2)
    )
    return OrbitCoordinates(period, reach, width.log(), b2), view


def _flux(orbit: OrbitCoordinates, view: SensorView) -> torch.Tensor:
    return transit_parts(orbit, view, TIME, EXPOSURE, supersample=3, nodes=4).flux


def test_is_the_public_light_curve() -> None:
    """Guards against a fit of another model than the one that the simulator and the notebooks draw."""
    orbit, view = _case()
    expected = light_curve_model(
        TIME[0],
        mid_transit_time=3.6,
        period_d=PERIOD,
        semi_major_axis=AXIS,
        impact_parameter=IMPACT,
        radius_ratio=view.depth[0].sqrt(),
        u1=view.u1[0],
        u2=view.u2[0],
        exposure_h=float(EXPOSURE),
    )
    assert float((_flux(orbit, view)[0, 0] - expected).abs().max()) < 5e-7


@pytest.mark.parametrize("k", range(6))
def test_slopes_equal_finite_differences(k: int) -> None:
    """Guards against a slope that does not belong to the flux (it is coded apart from it)."""
    orbit, view = _case()
    name, step = ("log_duration", "impact2", "u1", "u2", "mid_time", "depth")[k], 1e-6

    def moved(by: float) -> torch.Tensor:
        if hasattr(orbit, name):
            return _flux(replace(orbit, **{name: getattr(orbit, name) + by}), view)
        return _flux(orbit, replace(view, **{name: getattr(view, name) + by}))

    slope = transit_parts(orbit, view, TIME, EXPOSURE, supersample=3, nodes=4).slopes[k]
    numeric = (moved(step) - moved(-step)) / (2 * step)
    # a contact inside a step, and the interpolation's own derivative in the radius
    assert float((slope - numeric).abs().max()) < 2e-3 * float(numeric.abs().max())


def test_one_wavelength_needs_no_interpolation() -> None:
    """Guards against nodes that fall together where a sensor is one column (FGS1)."""
    orbit, view = _case()
    one = SensorView(view.mid_time, *(value[:, 1:2] for value in (view.depth, view.u1, view.u2)))
    assert torch.allclose(_flux(orbit, one)[:, :, 0], _flux(orbit, view)[:, :, 1], atol=5e-7)
