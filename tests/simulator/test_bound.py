from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.simulator import draw_visits
from spectramind_kit.simulator.bound import expected_score, learn_knowledge, posterior_covariance
from spectramind_kit.simulator.visit_information import Priors


@pytest.fixture(scope="module")
def labels():
    return np.array([draw_visits(31, "train", k)[0].label for k in range(320)])


@pytest.fixture(scope="module")
def knowledge(labels):
    return learn_knowledge(labels, seed=1, draws=500)


def test_expected_score_is_the_mean_of_the_official_one(labels):
    """Guards against a formula of its own: errors of 80 ppm drawn a thousand times score what the formula
    says."""
    rng = np.random.default_rng(0)
    metric = Metric.of(labels)
    many = np.repeat(labels, 5, axis=0)
    sigma = np.full_like(many, 80e-6)
    drawn = metric.score(many, many + sigma * rng.standard_normal(many.shape), sigma)
    expected = expected_score(labels, np.full_like(labels, 80e-6**2), metric=metric)
    assert expected == pytest.approx(drawn, abs=2e-3)


def test_less_knowledge_is_a_worse_bound(knowledge):
    """Guards against signs: mismatch and free limb darkening widen, a second visit and the spectral prior
    narrow."""
    visit = draw_visits(31, "train", 1)[0]
    again = replace(visit, visit=1, mid_transit_time=visit.mid_transit_time + 0.1)

    def width(visits, **options) -> float:
        return float(np.sqrt(np.diag(posterior_covariance(visits, knowledge, **options))).mean())

    plain = width([visit], mismatch=False)
    assert width([visit]) > plain
    assert width([visit], mismatch=False, use_prior=False) > plain
    assert width([visit], mismatch=False, priors=Priors(airs_limb_darkening=0.1, semi_major_axis=0.5)) > plain
    assert width([visit, again], mismatch=False) < plain


def test_few_labels_teach_no_prior(labels):
    """Guards against a covariance of rank 20 that makes everything look known."""
    with pytest.raises(DataError, match="labels"):
        learn_knowledge(labels[:20], seed=1)
