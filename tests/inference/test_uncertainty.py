"""Error bars and the network's share, fitted on planets that no fit has seen."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.inference.uncertainty import SigmaScale, fit_sigma_scale
from spectramind_kit.metric import Metric

METRIC = Metric(0.0147, 0.0107)


@pytest.fixture
def planets():
    rng = np.random.default_rng(3)
    depth = rng.uniform(0.005, 0.03, (60, 1)) + rng.normal(0, 5e-5, (60, 283))
    return rng, depth, np.arange(60) % 5


def test_too_small_error_bars_are_widened(planets):
    """Guards against sinking the score with the error bars of a fit that believes itself."""
    rng, depth, fold = planets
    err = np.full_like(depth, 1e-4)
    anchor = depth + rng.normal(0, 2e-4, depth.shape)
    fit = fit_sigma_scale(depth, (anchor, err), fold=fold, metric=METRIC)
    assert fit.scale.network_share == 0.0
    assert 1.8 < fit.scale.airs_factor <= 2.05 and 1.3 < fit.scale.fgs1_factor < 2.7
    mean, sigma = fit.scale.apply((anchor, err))
    assert METRIC.score(depth, mean, sigma) > METRIC.score(depth, anchor, err)


def test_good_error_bars_stay(planets):
    """Guards against a scale that follows the noise of the score."""
    rng, depth, fold = planets
    err = np.full_like(depth, 1e-4)
    anchor = depth + rng.normal(0, 1e-4, depth.shape)
    fit = fit_sigma_scale(depth, (anchor, err), fold=fold, metric=METRIC)
    assert fit.scale.airs_factor == pytest.approx(1.0, abs=0.05)


def test_a_network_that_helps_is_used_and_noise_is_not(planets):
    """Guards against a network that fits its train planets being trusted on the test planets."""
    rng, depth, fold = planets
    err = np.full_like(depth, 2e-4)
    anchor = depth + rng.normal(0, 2e-4, depth.shape)
    better = depth + rng.normal(0, 5e-5, depth.shape)
    worse = anchor + rng.normal(0, 2e-4, depth.shape)
    good = fit_sigma_scale(depth, (anchor, err), (better, np.full_like(err, 5e-5)), fold=fold, metric=METRIC)
    bad = fit_sigma_scale(depth, (anchor, err), (worse, err), fold=fold, metric=METRIC)
    assert good.scale.network_share == 1.0 and good.gain > 2 * good.gain_error
    assert bad.scale.network_share == 0.0


def test_a_dozen_lucky_planets_do_not_narrow_the_error_bars_much(planets):
    """Guards against what a smoke run showed: a factor of 0.5 from 12 planets, and test planets that paid for
    it."""
    rng, depth, _ = planets
    few = depth[:12]
    anchor = few + rng.normal(0, 2e-5, (12, 1)) + rng.normal(0, 1e-5, few.shape)
    err = np.full_like(few, 1e-4)
    fit = fit_sigma_scale(few, (anchor, err), fold=np.arange(12) % 2, metric=METRIC)
    assert fit.scale.airs_factor > 0.75 and fit.scale.fgs1_factor > 0.75


def test_scale_round_trip():
    """Guards against a bundle that applies another scale than the training found."""
    scale = SigmaScale(network_share=0.5, fgs1_factor=1.2, airs_factor=1.5)
    assert SigmaScale.from_dict(scale.to_dict()) == scale
