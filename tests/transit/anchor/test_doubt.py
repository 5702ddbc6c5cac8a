from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import DepthMeasurement, default_spectral_prior, flags
from spectramind_kit.transit.anchor.doubt import doubt
from tests.transit.synthetic import WAVELENGTH

PRIOR = default_spectral_prior(WAVELENGTH)
CLEAN = {"visit_gap": 0.0, "frames_lost": 0.0, "impact_parameter": 0.3}


def _added(
    measurement: DepthMeasurement,
    *own: str,
    level: float = 0.012,
    err: float = 3e-5,
    posterior_impact: float = 0.3,
    **quality,
) -> np.ndarray:
    seen = dataclasses.replace(measurement, flags=own, quality={**CLEAN, **quality})
    given = {"depth": np.full(283, level), "covariance": np.full((283, 283), err**2)}
    return doubt(seen, PRIOR, **given, impact_parameter=posterior_impact)


def test_a_clean_fit_is_believed(measurement: DepthMeasurement) -> None:
    """Guards against errors that grow where nothing is wrong."""
    assert not _added(measurement).any()
    assert not _added(measurement, flags.OUTLIERS, flags.GRAZING).any()


def test_visits_that_disagree_widen_the_level_by_half_of_their_gap(measurement: DepthMeasurement) -> None:
    """Guards against a gap that is added to single bins, or without the flag."""
    assert np.allclose(_added(measurement, flags.VISITS_DISAGREE, visit_gap=4e-4), 4e-8)
    assert not _added(measurement, visit_gap=4e-4).any()


def test_no_transit_found_is_no_shallow_transit(measurement: DepthMeasurement) -> None:
    """Guards against a planet that misses its star and gets a confident depth of nearly zero."""
    assert np.allclose(_added(measurement, level=1e-5, err=1e-5), (1e-5 - PRIOR.level) ** 2)
    assert not _added(measurement, level=1e-5, err=1e-7).any()  # a sure detection, no flag: as it is
    assert np.allclose(_added(measurement, flags.ORBIT_FAR, level=1e-5, err=1e-7), (1e-5 - PRIOR.level) ** 2)


def test_beyond_the_limb_the_depth_is_open(measurement: DepthMeasurement) -> None:
    """Guards against the Gaussian error of a fit that a larger planet further out would fit as well, also
    where the fit itself stopped before the limb."""
    assert np.allclose(_added(measurement, impact_parameter=1.0), (2.0 * PRIOR.level_width) ** 2)
    stopped = _added(measurement, flags.GRAZING, impact_parameter=0.96, posterior_impact=1.0)
    assert np.allclose(stopped, (2.0 * PRIOR.level_width) ** 2)
    assert not _added(measurement, flags.GRAZING, impact_parameter=0.95, posterior_impact=0.95).any()


def test_lost_frames_cost_fgs1_more_and_are_bounded(measurement: DepthMeasurement) -> None:
    """Guards against an error without end where half of a visit is missing."""
    tenth, half, most = (_added(measurement, frames_lost=share) for share in (0.1, 0.5, 0.15))
    assert np.sqrt(tenth[1, 1]) == pytest.approx(0.012 * 0.012) and tenth[0, 0] > 5 * tenth[1, 1]
    assert np.array_equal(half, most) and np.linalg.eigvalsh(tenth).min() > -1e-18
