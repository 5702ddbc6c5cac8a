"""Two spectra of one planet become one."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.inference.stack import combine


def spectra(depth: float, err: float, n: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return np.full((n, 5), depth), np.full((n, 5), err)


def test_the_more_precise_one_counts_more():
    """Guards against the network's noise in planets that the anchor knows well, and the other way round."""
    network = spectra(0.0101, 1e-4)
    shares = [combine(spectra(0.01, err), network, 1.0)[2][0, 0] for err in (1e-5, 1e-4, 1e-3)]
    assert 0.0 < shares[0] < 0.1 < 0.4 < shares[1] < 0.6 < 0.9 < shares[2] < 1.0


@pytest.mark.parametrize("err", [3e-5, 1e-4, 3e-4])
def test_the_mean_lies_between_them_and_the_error_too(err):
    """Guards against a sign or a square that is wrong in the weights, and against errors that are thought
    independent though both read the same photons: two that are alike would be a third too sure."""
    mean, sigma, share = combine(spectra(0.01, err), spectra(0.0101, 1e-4), 1.0)
    assert (mean > 0.01).all() and (mean < 0.0101).all()
    np.testing.assert_allclose(mean, 0.01 + share * 1e-4, rtol=1e-9)
    least, most = np.sort([np.hypot(err, 0.2e-4), np.hypot(1e-4, 0.2 * err)])
    assert (sigma < most).all() and (sigma > 0.85 * least).all()


def test_a_network_that_is_not_trusted_hardly_counts():
    """Guards against a trust that works backwards."""
    anchor, network = spectra(0.01, 1e-4), spectra(0.0101, 1e-4)
    shares = [combine(anchor, network, trust)[2][0, 0] for trust in (0.01, 0.3, 1.0, 3.0)]
    assert shares == sorted(shares) and shares[0] < 0.02


def test_a_wild_disagreement_widens_the_error_to_reach_both():
    """Guards against a planet on which the anchor fails and says that it is sure, which costs the score of
    hundreds."""
    mean, sigma, _ = combine(spectra(0.01, 2e-5), spectra(0.015, 5e-5), 1.0)
    assert (np.abs(mean - 0.01) < 2.0 * sigma).all() and (np.abs(mean - 0.015) < 2.0 * sigma).all()


def test_a_disagreement_by_chance_widens_nothing():
    """Guards against error bars that follow the network's noise."""
    close, apart = (combine(spectra(0.01, 1e-4), spectra(0.01 + d, 1e-4), 1.0)[1] for d in (0.0, 2.5e-4))
    np.testing.assert_allclose(close, apart)


def test_only_the_planet_that_disagrees_is_widened():
    """Guards against one bad planet that widens those beside it."""
    anchor, network = spectra(0.01, 1e-4), spectra(0.01, 1e-4)
    network[0][1] += 0.01
    _, sigma, _ = combine(anchor, network, 1.0)
    assert (sigma[1] > 10 * sigma[0]).all() and (sigma[0] == sigma[2]).all()


@pytest.mark.parametrize("err, sigma", [(1e-6, 1e-4), (1e-4, 1e-6)])
def test_neither_is_believed_to_know_better_by_far(err, sigma):
    """Guards against an error bar that one of them alone makes tiny."""
    assert (combine(spectra(0.01, err), spectra(0.01, sigma), 1.0)[1] > 1e-5).all()


@pytest.mark.parametrize("depth", [0.02, 0.0, -0.02])
def test_an_anchor_of_light_curves_that_say_nothing_is_not_believed(depth):
    """Guards against the tiny error of a grazing transit's anchor, which rests on what it assumes."""
    _, sigma, share = combine(spectra(0.004, 2e-4), spectra(depth, 8e-3), 1.0)
    assert (sigma > 5e-3).all() and (share > 0.4).all()
    assert (combine(spectra(0.05, 2e-4), spectra(0.045, 8e-3), 1.0)[1] < 2e-3).all()


def test_a_missing_spectrum_stays_missing():
    """Guards against a share of a number that is none."""
    anchor, network = spectra(0.01, 1e-4), spectra(0.01, 1e-4)
    network[0][1], network[1][1] = np.nan, np.nan
    mean, sigma, share = combine(anchor, network, 1.0)
    assert np.isnan([mean[1], sigma[1], share[1]]).all() and np.isfinite([mean[::2], sigma[::2]]).all()
