from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import (
    DepthMeasurement,
    apply_prior,
    default_spectral_prior,
    learn_priors,
    learn_spectral_prior,
)
from spectramind_kit.transit.priors.nuisance_prior import drift_places
from tests.transit.synthetic import WAVELENGTH
from tests.transit.train_planets import mismatched, train


def _dimmed(m: DepthMeasurement, share: float) -> DepthMeasurement:
    """Light curves that say so much less about the spectrum."""
    return dataclasses.replace(
        m,
        depth_information=share * m.depth_information,
        coupling=share * m.coupling,
        common_noise=np.zeros_like(m.common_noise),
        depth_score=0.0 * m.depth_score,
    )


def test_what_spectra_have_in_common_is_expected_of_the_next_one() -> None:
    """Guards against a prior that knows how much a band varies but not that it always points up."""
    bump = np.r_[1.5, np.exp(-0.5 * ((WAVELENGTH[1:] - 2.7) / 0.15) ** 2)]
    rng = np.random.default_rng(0)
    size, slope = 1e-4 * np.exp(0.5 * rng.normal(size=(60, 1))), 0.1 * rng.normal(size=(60, 1))
    depths = 0.012 + size * (bump + slope * (WAVELENGTH - 2.9))
    prior = learn_spectral_prior(depths, WAVELENGTH)
    shape = bump - bump[1:].mean()
    assert np.corrcoef(prior.mean_shape[1:], shape[1:])[0, 1] > 0.98 and prior.mean_shape[0] > 0.0
    # light curves that say next to nothing: the anchor has the bump, with the amplitude that is expected
    anchor = apply_prior(_dimmed(train()[0][0], 1e-6), prior)
    assert np.corrcoef(anchor.depth[1:], shape[1:])[0, 1] > 0.98
    assert anchor.depth[1:].std() == pytest.approx(np.median(depths[:, 1:].std(1)), rel=0.6)


def test_without_information_the_anchor_is_the_prior() -> None:
    """Guards against a level that comes from nowhere, or with an error smaller than the population's."""
    prior = default_spectral_prior(WAVELENGTH)
    blind = _dimmed(train()[0][0], 1e-12)
    anchor = apply_prior(dataclasses.replace(blind, reference_depth=np.full(283, prior.level)), prior)
    assert anchor.depth[1:].mean() == pytest.approx(prior.level, rel=1e-3)
    assert anchor.depth_err[1:].mean() == pytest.approx(3.0 * prior.level_width, rel=0.05)


def test_anchor_is_nearer_to_the_truth_than_the_raw_depth() -> None:
    """Guards against a prior that costs more than it brings, and errors that do not cover what is left."""
    measurements, depths = train()
    prior = learn_priors(measurements, depths)
    anchors = [apply_prior(m, prior) for m in measurements]
    gap = np.array([[a.depth - d, a.raw_depth - d] for a, d in zip(anchors, depths)])
    ours, raw = np.sqrt(np.mean(gap[:, :, 1:] ** 2, axis=(0, 2)))
    assert ours < 0.6 * raw
    pull = gap[:, 0] / np.array([a.depth_err for a in anchors])
    assert 0.3 < pull.std() < 1.4  # cautious: 16 planets do not exclude a label that is far off


def test_size_of_the_drift_is_weighed_with_its_density() -> None:
    """Guards against the smallest drift that always wins, and too small errors (docs/decisions.md D19)."""
    measurements, depths = train()
    prior = learn_priors(measurements, depths)
    usual = [apply_prior(m, prior).features["drift_scale"] for m in measurements]
    assert 0.7 < np.exp(np.mean(np.log(usual))) < 1.5
    m = measurements[0]
    large = m.nuisance_reference.copy()
    large[drift_places(m.nuisance_names, 0)] *= 20.0
    drifting = dataclasses.replace(m, nuisance_reference=large, nuisance_score=0.0 * m.nuisance_score)
    assert apply_prior(drifting, prior).features["drift_scale"] > 1.5 * usual[0]


def test_a_posterior_beyond_the_limb_leaves_the_depth_open() -> None:
    """Guards against a confident depth where only the fit had stopped before the limb (D105)."""
    m, prior = train()[0][0], default_spectral_prior(WAVELENGTH)
    beyond = m.nuisance_reference.copy()
    beyond[m.index("impact2")] = 1.1
    grazing = dataclasses.replace(m, nuisance_reference=beyond)
    usual, open_ = (apply_prior(one, prior).depth_err[1:].mean() for one in (m, grazing))
    assert usual < 0.2 * prior.level_width and open_ > prior.level_width


def test_few_planets_get_a_cautious_error() -> None:
    """Guards against a bare posterior that one contaminated star turns into a score of zero: with too few
    planets to learn from, labels may differ by what is usual."""
    measurements, depths = train()
    prior = learn_priors(measurements[:5], depths[:5])
    careful = apply_prior(measurements[6], prior)
    bare = apply_prior(measurements[6], dataclasses.replace(prior, mismatch=None))
    added = np.sqrt((careful.covariance - bare.covariance)[1:, 1:].mean())
    assert 5e-3 < added / depths[6].mean() < 9e-3


def test_a_mismatch_widens_the_label_but_not_the_raw_depth() -> None:
    """Guards against a mismatch that is counted as the transit's: the label's error grows by it, the raw
    spectrum stays."""
    measured, labels = mismatched()
    prior = learn_priors(measured, labels)
    with_doubt = apply_prior(measured[1], prior)
    without = apply_prior(measured[1], dataclasses.replace(prior, mismatch=None))
    assert np.array_equal(with_doubt.raw_depth, without.raw_depth)
    added = np.sqrt((with_doubt.covariance - without.covariance)[1:, 1:].mean())
    expected = np.sqrt(prior.mismatch.share * prior.mismatch.covariance[0, 0]) * labels[1].mean()
    assert 0.4 * expected < added < 1.6 * expected
    assert 0.0 < with_doubt.features["mismatched"] < 1.0 and without.features["mismatched"] == 0.0
