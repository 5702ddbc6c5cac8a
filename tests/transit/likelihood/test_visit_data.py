from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import AnchorSettings
from spectramind_kit.transit.likelihood.visit_data import (
    high_frequency_scatter,
    into_bands,
    measure_noise_scale,
    prepare_visit,
)
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

SIGMA = 0.003


def _noisy(seed: int = 0, n: int = 187, w: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Flux (T, W) with a transit of 2 % and white noise, and its noise-free course."""
    smooth = (1.0 - 0.02 * np.exp(-(((np.arange(n) - n / 2) / (n / 5)) ** 4)))[:, None] * np.linspace(
        1e4, 1e5, w
    )
    return smooth * (1.0 + SIGMA * np.random.default_rng(seed).standard_normal((n, w))), smooth


def test_errors_that_follow_the_noise_do_not_hide_it() -> None:
    """Guards against half of the noise: flux / (sigma sqrt(flux)) has half the scatter of flux."""
    flux, smooth = _noisy()
    scale = measure_noise_scale(flux, SIGMA * smooth.mean(0) * np.sqrt(flux / smooth.mean(0)))
    assert scale == pytest.approx(1.0, abs=0.3) and np.median(scale) == pytest.approx(1.0, abs=0.05)


def test_unequal_exposures_are_not_noise() -> None:
    """Guards against a scale that explodes where every third time bin holds fewer exposures, and against
    errors without their sizes."""
    rng, smooth = np.random.default_rng(1), _noisy()[1]
    size = np.where(np.arange(187) % 3 == 0, 1.6, 1.0)[:, None]
    flux = smooth * (1.0 + SIGMA * size * rng.standard_normal(smooth.shape))
    assert np.median(measure_noise_scale(flux, SIGMA * size * smooth)) == pytest.approx(1.0, abs=0.04)


def test_scatter_in_units_of_errors_is_that_of_pulls() -> None:
    """Guards against two normalisations of the third difference that differ."""
    values = np.random.default_rng(2).standard_normal((400, 30))
    plain, measured = (
        high_frequency_scatter(values),
        high_frequency_scatter(2.0 * values, np.full(values.shape, 2.0)),
    )
    assert np.allclose(plain, measured) and np.median(plain) == pytest.approx(1.0, abs=0.05)


def test_scale_of_a_wrong_error_comes_back() -> None:
    """Guards against a scale that no longer repairs errors which are too small."""
    flux, smooth = _noisy(3)
    assert np.median(measure_noise_scale(flux, 0.4 * SIGMA * smooth)) == pytest.approx(2.5, rel=0.04)


def test_bands_with_missing_times_keep_their_noise() -> None:
    """Guards against missing points that count as differences of zero."""
    curve = make_light_curve(make_planet(1), seed=1)
    flux = curve.flux.copy()
    flux[40:70] = np.nan
    data = prepare_visit(dataclasses.replace(curve, flux=flux), settings=AnchorSettings())
    bands, _ = into_bands(data, WAVELENGTH, 6)
    assert bands.noise_scale[1:] == pytest.approx(1.0, abs=0.25)
    assert not bool((bands.weight[40:70] > 0).any()) and bool((bands.weight[70:] > 0).all())
