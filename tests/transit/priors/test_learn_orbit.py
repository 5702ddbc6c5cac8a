from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import NuisancePrior
from spectramind_kit.transit.priors.given_label import GivenLabels
from spectramind_kit.transit.priors.label_mismatch import default_mismatch
from spectramind_kit.transit.priors.learn_orbit import _gaps, _intrinsic_scatter, learn_orbit
from tests.transit.train_planets import honest


def _learned(**table: float) -> dict[str, float]:
    """Of planets whose star tables are multiplied by those factors."""
    measurements, depths = honest()
    wrong = [
        dataclasses.replace(m, orbit={**m.orbit, **{k: v * m.orbit[k] for k, v in table.items()}})
        for m in measurements
    ]
    return learn_orbit([GivenLabels.of(list(zip(wrong, depths)))], NuisancePrior(), default_mismatch())


def test_scatter_of_the_tables_is_found() -> None:
    """Guards against orbits that are believed more or less than they deserve: the tables are off by 5 %."""
    found = _learned()
    assert 0.02 < found["axis_scatter"] < 0.08 and abs(found["axis_offset"]) < 0.02
    assert 0.0 <= found["kepler_share"] <= 1.0 and found["impact_scatter"] < 0.12


def test_a_common_error_of_the_tables_is_an_offset() -> None:
    """Guards against a table that is 10 % off everywhere and is learned as scatter."""
    usual, off = _learned(), _learned(catalogue_axis=1.1, kepler_axis=1.1)
    assert off["axis_offset"] - usual["axis_offset"] == pytest.approx(-np.log(1.1), abs=0.02)
    assert off["axis_scatter"] < usual["axis_scatter"] + 0.02


def test_gaps_are_of_the_orbit_that_was_found() -> None:
    """Guards against gaps at the reference of the measurement instead of the posterior's orbit."""
    measurements, depths = honest()
    given = GivenLabels.of([(measurements[0], depths[0])])
    found = given.posterior(NuisancePrior(), default_mismatch())
    moved = dataclasses.replace(found, mean=found.mean + np.eye(1, found.mean.shape[1], 1) * 0.05)
    (gap, *_, impact, _), (gap2, *_, impact2, _) = _gaps(given, found), _gaps(given, moved)
    slope = given.table.orbit.log_axis_slope().numpy()[:, 1]
    assert np.allclose(gap2 - gap, 0.05 * slope)
    b2 = found.mean[:, 1]
    assert np.allclose(impact2 - impact, np.sqrt(b2 + 0.05) - np.sqrt(b2.clip(0.0)))


def test_intrinsic_scatter_lacks_the_measurement_errors_and_the_outliers() -> None:
    """Guards against a width that counts what is only noise, or one planet of a broken table."""
    rng = np.random.default_rng(0)
    variance = np.full(300, 0.03**2)
    gap = 0.05 * rng.normal(size=300) + 0.03 * rng.normal(size=300)
    gap[:6] = 0.8
    assert _intrinsic_scatter(gap, variance, 0.06) == pytest.approx(0.05, rel=0.2)
    assert _intrinsic_scatter(gap[:0], variance[:0], 0.06) == pytest.approx(0.06, rel=0.1)  # the default


def test_a_planet_without_a_number_does_not_decide_the_width() -> None:
    """Guards against one fit at its bound (0/0), after which the narrowest width wins."""
    rng = np.random.default_rng(4)
    gap, variance = rng.normal(0.0, 0.1, 60), np.full(60, 1e-4)
    usual = _intrinsic_scatter(gap, variance, 0.1)
    broken = _intrinsic_scatter(np.append(gap, 0.2), np.append(variance, np.nan), 0.1)
    assert broken == usual > 0.05


def test_a_fit_at_its_bound_has_a_variance() -> None:
    """Guards against the division that made that number."""
    measurements, depths = honest()
    given = GivenLabels.of([(measurements[0], depths[0])])
    found = given.posterior(NuisancePrior(), default_mismatch())
    mean, covariance = found.mean.copy(), found.covariance.copy()
    mean[:, 1], covariance[:, 1, :], covariance[:, :, 1] = 0.0, 0.0, 0.0
    gaps = _gaps(given, dataclasses.replace(found, mean=mean, covariance=covariance))
    assert all(np.isfinite(values).all() for values in gaps)
