"""Error bars and the network's part, fitted on planets that no fit has seen."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.inference.uncertainty import SensorScale, SigmaScale, fit_sigma_scale
from spectramind_kit.metric import Metric

METRIC = Metric(0.0147, 0.0107)


@pytest.fixture
def planets():
    rng = np.random.default_rng(3)
    depth = rng.uniform(0.005, 0.03, (60, 1)) + rng.normal(0, 5e-5, (60, 283))
    return rng, depth, np.arange(60) % 5


def measured(rng, depth, error, *, said=None):
    """Depths that are off by ``error``, level and bins alike, and errors as they are said to be."""
    shape = depth.shape
    off = 0.8 * rng.normal(0, error, (len(depth), 1)) + 0.6 * rng.normal(0, error, shape)
    return depth + off, np.full(shape, said or error)


def test_too_small_error_bars_are_widened(planets):
    """Guards against sinking the score with the error bars of a fit that believes itself."""
    rng, depth, fold = planets
    anchor = depth + rng.normal(0, 2e-4, depth.shape), np.full_like(depth, 1e-4)
    fit = fit_sigma_scale(depth, anchor, fold=fold, metric=METRIC)
    assert not fit.scale.uses_network and fit.shares.keys() == {"anchor"}
    assert 1.7 < fit.scale.airs.anchor_factor <= 2.05 and 1.3 < fit.scale.fgs1.anchor_factor < 2.7
    assert METRIC.score(depth, *fit.scale.apply(anchor)) > METRIC.score(depth, *anchor)


def test_good_error_bars_stay(planets):
    """Guards against a scale that follows the noise of the score."""
    rng, depth, fold = planets
    anchor = depth + rng.normal(0, 1e-4, depth.shape), np.full_like(depth, 1e-4)
    fit = fit_sigma_scale(depth, anchor, fold=fold, metric=METRIC)
    assert fit.scale.airs.anchor_factor == pytest.approx(1.0, abs=0.05)


def test_a_network_that_helps_is_used_and_noise_is_not(planets):
    """Guards against a network that fits its train planets being trusted on the test planets."""
    rng, depth, fold = planets
    anchor = measured(rng, depth, 2e-4)
    worse = anchor[0] + rng.normal(0, 6e-4, (len(depth), 1)), np.full_like(depth, 2e-4)
    good = fit_sigma_scale(depth, anchor, measured(rng, depth, 5e-5), fold=fold, metric=METRIC)
    bad = fit_sigma_scale(depth, anchor, worse, fold=fold, metric=METRIC)
    assert good.scale.uses_network and good.gain > 2 * good.gain_error
    assert good.cross_fitted_score == good.shares["both"] > good.shares["anchor"]
    assert not bad.scale.uses_network and bad.cross_fitted_score == bad.shares["anchor"]


def test_an_equal_network_is_taken_half(planets):
    """Guards against one of two independent readings being thrown away."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 2e-4), measured(rng, depth, 2e-4)
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC)
    share = fit.scale.share(anchor, network)
    assert 0.3 < np.median(share[:, 0]) < 0.7 and 0.3 < np.median(share[:, 1:]) < 0.7
    final = fit.scale.apply(anchor, network)
    assert METRIC.score(depth, *final) > max(METRIC.score(depth, *one) for one in (anchor, network))


def test_a_network_that_says_too_little_error_is_trusted_less(planets):
    """Guards against the weight of a network that believes itself."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 1e-4), measured(rng, depth, 1e-4, said=3e-5)
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC)
    assert 0.0 < fit.scale.airs.trust < 0.3 and fit.scale.airs.network_factor > 2.0


def test_one_hopeless_anchor_neither_decides_nor_is_lost(planets):
    """Guards against a single planet that scores -400 and makes every gain look like chance."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 1e-4), measured(rng, depth, 1e-4)
    anchor[0][7] += 0.02
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC)
    assert fit.scale.uses_network and fit.cross_fitted_score > fit.anchor_score + 1.0
    mean, sigma = fit.scale.apply(anchor, network)
    assert METRIC.planet_scores(depth, mean, sigma)[7] > -2.0


def test_one_hopeless_network_is_no_reason_to_take_it(planets):
    """Guards against the bound on a planet's score hiding what a network loses."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 1e-4), measured(rng, depth, 1e-4)
    network[0][::6] += 0.02
    network[1][::6] = 1e-6
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC)
    assert not fit.scale.uses_network


def test_a_planet_keeps_what_it_has(planets):
    """Guards against NaN for a planet that the network has not read, or that has no anchor."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 1e-4, said=5e-5), measured(rng, depth, 1e-4, said=2e-4)
    for values in network:
        values[3] = np.nan
    for values in anchor:
        values[4] = np.nan
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC)
    scale = fit.scale
    mean, sigma = scale.apply(anchor, network)
    assert np.isfinite(mean).all() and np.isfinite(sigma).all() and np.isfinite(fit.cross_fitted_score)
    np.testing.assert_array_equal(mean[[3, 4]], [anchor[0][3], network[0][4]])
    np.testing.assert_allclose(sigma[3, 1:], anchor[1][3, 1:] * scale.airs.anchor_factor)
    np.testing.assert_allclose(sigma[4, 0], network[1][4, 0] * scale.fgs1.network_factor)
    share = scale.share(anchor, network)
    assert (share[3] == 0.0).all() and (share[4] == 1.0).all()
    assert scale.fgs1.anchor_factor > 1.3 and scale.fgs1.network_factor < 0.9


def test_a_network_alone_is_submitted_alone(planets):
    """Guards against a decoder=direct run that submits anchors, and against its error bars as they are."""
    rng, depth, fold = planets
    anchor, network = measured(rng, depth, 1e-4), measured(rng, depth, 4e-4, said=1e-4)
    fit = fit_sigma_scale(depth, anchor, network, fold=fold, metric=METRIC, alone=True)
    mean, sigma = fit.scale.apply(anchor, network)
    np.testing.assert_array_equal(mean, network[0])
    assert fit.scale.uses_network and (sigma > 2e-4).all() and (fit.scale.share(anchor, network) == 1).all()
    assert fit.gain < 0.0 and fit.cross_fitted_score == fit.shares["network"] < fit.anchor_score


def test_without_network_or_fit_the_anchor_stays(planets):
    """Guards against another submission where nothing was learned."""
    rng, depth, _ = planets
    anchor, network = measured(rng, depth, 1e-4), measured(rng, depth, 1e-4)
    for found in (SigmaScale().apply(anchor), SigmaScale().apply(anchor, network)):
        np.testing.assert_array_equal(found, anchor)


def test_a_dozen_lucky_planets_do_not_narrow_the_error_bars_much(planets):
    """Guards against what a smoke run showed: a factor of 0.5 from 12 planets, and test planets that paid for
    it."""
    rng, depth, _ = planets
    few = depth[:12]
    anchor = few + rng.normal(0, 2e-5, (12, 1)) + rng.normal(0, 1e-5, few.shape), np.full_like(few, 1e-4)
    fit = fit_sigma_scale(few, anchor, anchor, fold=np.arange(12) % 2, metric=METRIC)
    scales = fit.scale.fgs1, fit.scale.airs
    assert all(scale.anchor_factor > 0.75 and scale.network_factor > 0.75 for scale in scales)


def test_a_run_of_one_planet_is_no_error():
    """Guards against a division by zero after hours of training."""
    depth = np.full((1, 283), 0.01)
    spectra = depth + 1e-5, np.full_like(depth, 1e-4)
    fit = fit_sigma_scale(depth, spectra, spectra, fold=np.zeros(1, dtype=int), metric=METRIC)
    assert not fit.scale.uses_network and fit.gain_error == float("inf")


@pytest.mark.parametrize("alone", [False, True])
def test_scale_round_trip(alone):
    """Guards against a bundle that applies another scale than the training found."""
    scale = SigmaScale(SensorScale(0.5, 1.2, 1.5, 1.1), SensorScale(0.4, 1.3, 1.6, 1.05), alone)
    assert SigmaScale.from_dict(scale.to_dict()) == scale
