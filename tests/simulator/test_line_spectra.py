"""Spectra of the world `real`: level, width, clouds, and what no list of absorbers explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator.line_spectra import draw_atmosphere, draw_spectrum, transmission_depth
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.streams import SPECTRUM, planet_generator
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths


@pytest.fixture(scope="module")
def planets():
    return [draw_planet(5, "train", k) for k in range(200)]


@pytest.fixture(scope="module")
def labels(planets) -> np.ndarray:
    draws = (planet_generator(5, "train", k, purpose=SPECTRUM) for k in range(len(planets)))
    grid = grid_wavelengths()
    return np.array([grid_to_bins(draw_spectrum(rng, p, grid)[0]) for rng, p in zip(draws, planets)])


def test_the_level_is_the_planets(labels, planets):
    """Guards against spectra that change the depths they are drawn for."""
    np.testing.assert_allclose(labels[:, 1:].mean(1), [p.depth for p in planets], rtol=0.02)
    assert (labels > 0).all()


def test_amplitudes_are_as_wide_as_real_ones(labels):
    """Guards the width of the sky: 5, 50 and 95 % of the std within a spectrum (real: 1.7, 50, 657 ppm)."""
    low, middle, high = np.percentile(labels[:, 1:].std(1) * 1e6, [5, 50, 95])
    assert low < 8 and 30 < middle < 80 and high > 400


def test_fgs1_is_told_by_more_than_airs(labels):
    """Guards FGS1's own life: its offset over the std within AIRS has the median 1.8 and a long tail in real
    labels."""
    ratio = np.abs(labels[:, 0] - labels[:, 1:].mean(1)) / labels[:, 1:].std(1)
    assert 1.0 < np.median(ratio) < 2.6 and np.percentile(ratio, 95) > 4


def test_shapes_are_many(labels):
    """Guards against a sky of a few shapes: seven components leave some of the variance, twenty little."""
    shape = labels[:, 1:] - labels[:, 1:].mean(1, keepdims=True)
    shape /= shape.std(1, keepdims=True)
    power = np.linalg.svd(shape - shape.mean(0), compute_uv=False) ** 2
    assert 0.05 < 1 - power[:7].sum() / power.sum() < 0.35
    assert 1 - power[:20].sum() / power.sum() < 0.12


def test_a_cloud_flattens_and_a_part_of_a_cloud_less(planets):
    """Guards the clouds: a deck at the top leaves nothing, half a deck leaves half."""
    atmosphere = draw_atmosphere(np.random.default_rng(1), planets[0])
    spread = [
        np.ptp(
            transmission_depth(planets[0], replace(atmosphere, cloud_pa=pa, cloud_share=share, unknown=()))
        )
        for pa, share in ((1e8, 1.0), (1e-4, 0.5), (1e-4, 1.0))
    ]
    assert spread[1] == pytest.approx(0.5 * spread[0], rel=0.02) and spread[2] < 0.01 * spread[0]


def test_an_unknown_absorber_changes_the_shape(planets):
    """Guards against unknown absorbers that do nothing."""
    atmosphere = replace(draw_atmosphere(np.random.default_rng(1), planets[0]), unknown=(2.0, -3.0))
    wave = 3.0 * np.sin(np.arange(3900) / 150.0)
    with_it, without = (transmission_depth(planets[0], atmosphere, w) for w in (wave, None))
    assert np.corrcoef(with_it[1:], without[1:])[0, 1] < 0.8
