from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import NuisancePrior, flags, learn_nuisances
from spectramind_kit.transit.priors.learn_nuisance import _robust_rows
from spectramind_kit.transit.priors.nuisance_prior import drift_places
from tests.transit.train_planets import honest, mismatched


def test_mismatch_is_learned_where_there_is_one_and_not_where_there_is_none() -> None:
    """Guards against error bars that lack what no light curve can tell, and against doubt about labels that
    are right."""
    found, none = (learn_nuisances(*planets())[1] for planets in (mismatched, honest))
    assert 0.15 < found.share < 0.5 and 0.006 < np.sqrt(found.covariance[0, 0]) < 0.016
    # FGS1 is off in the same direction
    assert found.covariance[0, 1] > 0.0
    # what it adds to an error bar on average: almost nothing where all labels are right
    added = [np.sqrt(m.share * m.covariance[0, 0]) for m in (none, found)]
    assert added[0] < 0.0012 < added[1]


def test_one_fit_that_went_astray_teaches_nothing() -> None:
    """Guards against a single wrong measurement that widens the error bars of all planets."""
    measured, labels = mismatched()
    wrong = labels.copy()
    wrong[7] *= 1.6
    (prior, before), (prior_after, after) = (
        learn_nuisances(measured, labels),
        learn_nuisances(measured, wrong),
    )
    assert after.covariance[0, 0] < 1.5 * before.covariance[0, 0] and after.share < 1.5 * before.share
    assert np.allclose(prior.limb_mean[0], prior_after.limb_mean[0], atol=0.02)


def test_limb_darkening_and_clocks_come_back() -> None:
    """Guards against a wrong M step: the stars' u1 against temperature, and no offset of the clocks."""
    prior, _ = learn_nuisances(*honest())
    assert prior.learned_from == 40
    assert prior.limb_mean[0, 0] == pytest.approx(0.48, abs=0.03)  # u1 of FGS1 at 5800 K
    assert prior.limb_mean[1, 0] == pytest.approx(-0.04, abs=0.025)  # per 500 K
    assert abs(prior.time_offset_mean) < 0.003 and prior.time_offset_scatter < 0.006


def test_drift_is_learned_from_its_size() -> None:
    """Guards against a drift prior that does not follow the visits: ten times less drift, narrower."""
    measurements, depths = honest()

    def learned(share: float) -> float:
        given = []
        for m in measurements:
            at = drift_places(m.nuisance_names, 0)
            reference, score = m.nuisance_reference.copy(), m.nuisance_score.copy()
            reference[at] *= share
            given.append(dataclasses.replace(m, nuisance_reference=reference, nuisance_score=score))
        return float(np.trace(learn_nuisances(given, depths)[0].drift_covariance))

    assert learned(0.1) < 0.3 * learned(1.0)


def test_few_or_doubtful_planets_leave_the_default() -> None:
    """Guards against widths of a handful of planets, and planets in trouble that are counted."""
    measurements, depths = honest()
    default = NuisancePrior(axis_scatter=0.2)
    assert learn_nuisances(measurements[:11], depths[:11], default=default)[0] is default
    troubled = [dataclasses.replace(m, flags=(flags.GRAZING,)) for m in measurements[:2]]
    unknown = np.vstack([depths[2:12], np.full((2, 283), np.nan)])
    assert learn_nuisances(measurements[2:12] + troubled, unknown, default=default)[0] is default
    assert learn_nuisances(measurements[:12], depths[:12], default=default)[0].learned_from == 12


def test_wild_rows_lose_weight() -> None:
    """Guards against one planet that sets the scatter of all."""
    rows = np.random.default_rng(0).normal(size=(200, 3))
    rows[7] = 100.0
    weight = _robust_rows(rows)
    assert weight[7] < 0.01 and np.median(weight) == 1.0
