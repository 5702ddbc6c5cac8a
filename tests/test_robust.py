"""Robust statistics against Gaussian noise, wild samples and the definition written as a loop."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.robust import mad_sigma, median_of_known, running_median


def test_mad_sigma_is_the_sigma_of_gaussian_noise():
    """Guards against a wrong factor, and against a scatter that a few cosmic rays or an offset move."""
    values = np.random.default_rng(0).normal(40.0, 3.0, (20_000, 2))
    values[::100] += 1e6
    assert mad_sigma(values, axis=0) == pytest.approx([3.0, 3.0], rel=0.03)
    assert mad_sigma(values) == pytest.approx(3.0, rel=0.03)


def test_mad_sigma_about_a_given_centre():
    """Guards against a centre that is measured where it was given: differences scatter about 0."""
    values = np.array([[1.0, 10.0], [2.0, 30.0], [9.0, 20.0]])
    assert mad_sigma(values, axis=0, centre=0.0) == pytest.approx([1.4826 * 2.0, 1.4826 * 20.0])
    assert mad_sigma(values, axis=1, centre=values[:, :1]) == pytest.approx(
        1.4826 * np.median(values - values[:, :1], axis=1)
    )


def test_median_of_known_leaves_out_what_is_missing(recwarn):
    """Guards against a NaN that spreads over a column, and against a warning for one that is all missing."""
    values = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, np.nan], [4.0, 7.0, np.nan]])
    np.testing.assert_array_equal(median_of_known(values, axis=0), [2.0, 6.0, np.nan])
    assert median_of_known(values) == 4.0
    assert not recwarn.list


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9, 40])
@pytest.mark.parametrize("width", [3, 5, 9])
def test_running_median_is_the_loop(n, width):
    """Guards against windows off their middle, and against ends or short series that come out shorter."""
    values = np.random.default_rng(n).normal(size=n)
    half = min(width, n) // 2
    mirrored = np.concatenate([values[half:0:-1], values, values[-2 : -2 - half : -1]])
    expected = [np.median(mirrored[k : k + 2 * half + 1]) for k in range(n)]
    np.testing.assert_array_equal(running_median(values, width), expected)


def test_running_median_drops_a_lone_spike_and_keeps_a_step():
    """Guards against a mean in a median's place: a transit's edge would be rounded."""
    values = np.repeat([1.0, 3.0], 20)
    spiked = values.copy()
    spiked[7] = 100.0
    np.testing.assert_array_equal(running_median(spiked, 5), values)
