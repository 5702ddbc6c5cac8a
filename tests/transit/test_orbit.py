from __future__ import annotations

import math

import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.transit.orbit import (
    contact_times,
    impact_parameter,
    projected_separation,
    transit_duration,
)

torch.set_num_threads(1)
ORBIT = dict(period_d=5.2, semi_major_axis=10.5)


def test_separation_is_the_impact_parameter_at_mid_transit() -> None:
    """Guards against a phase or an angle in the wrong unit."""
    b = impact_parameter(10.5, 88.0)
    z = projected_separation(torch.tensor([3.7]), mid_transit_time=3.7, inclination_deg=88.0, **ORBIT)
    assert float(z[0]) == pytest.approx(float(b)) == pytest.approx(10.5 * math.cos(math.radians(88.0)))


def test_nothing_is_hidden_behind_the_star() -> None:
    """Guards against a second transit half an orbit later."""
    half_orbit = torch.linspace(-1.0, 1.0, 51) + 5.2 * 12.0
    z = projected_separation(half_orbit, mid_transit_time=0.0, impact_parameter=0.0, **ORBIT)
    assert float(z.min()) > 2.0


def test_contacts_are_where_the_disks_touch() -> None:
    """Guards against contact times that do not belong to `projected_separation`."""
    contacts = contact_times(mid_transit_time=3.5, radius_ratio=0.1, impact_parameter=0.4, **ORBIT)
    z = projected_separation(torch.stack(list(contacts)), mid_transit_time=3.5, impact_parameter=0.4, **ORBIT)
    assert torch.allclose(z, torch.tensor([1.1, 0.9, 0.9, 1.1], dtype=torch.float64), atol=1e-9)
    duration = transit_duration(radius_ratio=0.1, impact_parameter=0.4, **ORBIT)
    assert float(duration) == pytest.approx(float(contacts.fourth - contacts.first))


def test_grazing_and_missing_transits_are_nan() -> None:
    """Guards against invented contacts."""
    grazing = contact_times(mid_transit_time=0.0, radius_ratio=0.1, impact_parameter=0.95, **ORBIT)
    assert torch.isnan(grazing.second) and torch.isfinite(grazing.first)
    assert torch.isnan(transit_duration(radius_ratio=0.1, impact_parameter=1.2, **ORBIT))


def test_gradient_is_finite_for_a_central_transit() -> None:
    """Guards against sqrt(0) at b = 0, t = t0."""
    b = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    t0 = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    z = projected_separation(torch.tensor([2.9, 3.0, 3.1]), mid_transit_time=t0, impact_parameter=b, **ORBIT)
    grads = torch.autograd.grad(z.sum(), (b, t0))
    assert all(torch.isfinite(g) for g in grads)


def test_orbit_needs_exactly_one_tilt() -> None:
    """Guards against a silently ignored argument."""
    with pytest.raises(DataError, match="exactly one"):
        projected_separation(torch.zeros(1), mid_transit_time=0.0, **ORBIT)
    with pytest.raises(DataError, match="exactly one"):
        contact_times(
            mid_transit_time=0.0, radius_ratio=0.1, impact_parameter=0.1, inclination_deg=89.0, **ORBIT
        )
