from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.metric import array_score
from spectramind_kit.simulator import draw_visits
from spectramind_kit.simulator.bound import (
    Priors,
    expected_score,
    learn_knowledge,
    posterior_covariance,
    visit_information,
)


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
    naive = {"naive_mean": float(labels.mean()), "naive_sigma": float(labels.std())}
    many = np.repeat(labels, 5, axis=0)
    sigma = np.full_like(many, 80e-6)
    drawn = array_score(many, many + sigma * rng.standard_normal(many.shape), sigma, **naive)
    assert expected_score(labels, np.full_like(labels, 80e-6**2), **naive) == pytest.approx(drawn, abs=2e-3)


def test_information_of_a_known_geometry_is_that_of_the_photons():
    """Guards against lost factors: with every nuisance known, 1/σ² is Σ (∂flux/∂depth)²/σ_flux² with the
    level projected out."""
    from spectramind_kit.simulator.bound import _derivatives
    from spectramind_kit.simulator.light_curves import bin_centres
    from spectramind_kit.simulator.noise_model import Extraction, exposure_variance, exposures_per_bin

    visit = draw_visits(31, "train", 0)[0]
    known = Priors(1e-9, 1e-9, 1e-9, 1e-9, 1e-9)
    time, width = bin_centres(188)
    flux, by_depth, *_ = _derivatives(visit, time, width, known)
    photons, constant = exposure_variance(visit)
    captured = Extraction().captured()
    sigma = np.sqrt((photons * flux * captured + constant) / exposures_per_bin(width)) / captured
    signal, level = by_depth / sigma, flux / sigma
    expected = (signal**2).sum(0) - (signal * level).sum(0) ** 2 / (level**2).sum(0)
    # mid-transit time and drift stay free: they cost depth information, never add any
    found = np.diag(visit_information(visit, priors=known))
    assert (found <= expected * 1.0001).all() and np.median(found / expected) > 0.5


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
