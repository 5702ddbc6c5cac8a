from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.transit import AnchorSettings, NuisancePrior
from spectramind_kit.transit.likelihood.parameters import SHARED
from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates
from spectramind_kit.transit.priors.nuisance_prior import (
    LIMB,
    NuisanceTable,
    clock_places,
    drift_places,
    warmth,
)
from spectramind_kit.transit.priors.orbit_point import OrbitPoint
from tests.transit.train_planets import train

NEAR = {"period_d": 3.0, "reach": 1.1, "log_duration": 0.2, "impact2": 0.1}
TABLE = {"catalogue_axis": 9.0, "catalogue_impact": 0.3, "kepler_axis": 9.5}


def test_defaults_are_those_of_the_settings() -> None:
    """Guards against a width that stands in two places and is changed in one."""
    assert (
        NuisancePrior.from_settings(AnchorSettings()) == NuisancePrior() == NuisancePrior.from_settings(None)
    )
    other = NuisancePrior.from_settings(AnchorSettings(axis_scatter=0.2, impact_tail=0.6))
    assert (other.axis_scatter, other.impact_tail) == (0.2, 0.6)


@pytest.mark.parametrize("far", [1.0, 2.5])
def test_pull_is_the_slope_of_the_density(far: float) -> None:
    """Guards against a mixture whose Gaussian has another gradient than the mixture itself."""
    point = OrbitPoint.stacked([{**NEAR, **TABLE, "catalogue_axis": far * TABLE["catalogue_axis"]}])
    width, impact2 = (getattr(point, n).clone().requires_grad_() for n in ("log_duration", "impact2"))
    moved = point.at(OrbitCoordinates(point.period_d, point.reach, width, impact2))
    prior = NuisancePrior(kepler_share=0.3, axis_offset=0.01)
    _, pull, chi2 = prior.orbit_terms(moved)
    slope = torch.stack(torch.autograd.grad(0.5 * chi2.sum(), (width, impact2)), dim=-1)
    assert torch.allclose(pull, -slope, rtol=1e-8)


def test_a_table_that_is_far_off_pulls_less() -> None:
    """Guards against one wrong row of the star table that drags the orbit with it."""

    def weight(factor: float) -> float:
        point = OrbitPoint.stacked([{**NEAR, **TABLE}])
        axis = factor * torch.exp(point.log_axis)
        prior = NuisancePrior()
        precision, _, _ = prior.orbit_terms(dataclasses.replace(point, catalogue_axis=axis))
        return float(precision[0, 0, 0])

    assert weight(2.0) < 0.05 * weight(1.0)


def test_terms_hold_what_was_learned() -> None:
    """Guards against a learned prior that is put at the places of other nuisances."""
    measurements, _ = train()
    table = NuisanceTable.of(measurements[:3])
    drift = drift_places(table.names, 0)
    assert [table.names[k].split("_")[1] for k in drift] == ["drift"] * len(drift)
    (clock,) = clock_places(table.names, 0)
    mean = np.stack([np.linspace(0.1, 0.4, 8), np.full(8, 0.01)])
    prior = NuisancePrior(
        time_offset_mean=0.02,
        time_offset_scatter=0.1,
        limb_mean=mean,
        limb_covariance=np.diag(np.full(8, 0.04)),
        drift_covariance=np.diag(np.full(len(drift), 1e-8)),
    )
    precision, pull = prior.terms(table, drift_scale=2.0)
    centre = table.reference + torch.linalg.solve(precision, pull[..., None])[..., 0]
    assert torch.allclose(precision[:, LIMB, LIMB], 25.0 * torch.eye(8, dtype=torch.float64))
    assert np.allclose(centre[1, LIMB], prior.limb_at(float(table.temperature_k[1])))
    assert np.allclose(precision[:, drift, drift], 0.25e8) and np.allclose(precision[:, clock, clock], 100.0)
    assert np.allclose(centre[:, clock], 0.02)
    # what was not learned keeps the measurement's own prior
    mid_time = table.names.index("mid_time_0")
    assert torch.allclose(precision[:, mid_time, mid_time], 1.0 / table.sd[:, mid_time].square())
    assert (precision[:, :2, 2:] == 0).all() and (precision[:, :2, :2] != 0).all()
    assert precision.shape[1] > SHARED


def test_drift_of_another_shape_keeps_its_own_prior() -> None:
    """Guards against a crash on a visit with fewer drift terms than the train planets' visits."""
    table = NuisanceTable.of(train()[0][:1])
    few = NuisancePrior(drift_covariance=np.eye(2))
    assert torch.equal(few.terms(table)[0], NuisancePrior().terms(table)[0])


def test_warmth_is_bounded() -> None:
    """Guards against limb darkening of 40,000 K drawn out of a line through 6,000 K."""
    assert warmth(5800.0) == 0.0 and warmth(6300.0) == 1.0
    assert warmth(4e4) == 3.0 and warmth(np.array([100.0]))[0] == -4.0
    assert NuisancePrior().limb_at(5800.0) is None
