from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.transit.likelihood.visit_noise import (
    estimate_noise_scale,
    high_frequency_scatter,
    red_noise_factor,
)

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
    scale = estimate_noise_scale(flux, SIGMA * smooth.mean(0) * np.sqrt(flux / smooth.mean(0)))
    assert scale == pytest.approx(1.0, abs=0.3) and np.median(scale) == pytest.approx(1.0, abs=0.05)


def test_unequal_exposures_are_not_noise() -> None:
    """Guards against a scale that explodes where every third time bin holds fewer exposures, and against
    errors without their sizes."""
    rng, smooth = np.random.default_rng(1), _noisy()[1]
    size = np.where(np.arange(187) % 3 == 0, 1.6, 1.0)[:, None]
    flux = smooth * (1.0 + SIGMA * size * rng.standard_normal(smooth.shape))
    assert np.median(estimate_noise_scale(flux, SIGMA * size * smooth)) == pytest.approx(1.0, abs=0.04)


def test_scatter_in_units_of_errors_is_that_of_pulls() -> None:
    """Guards against a third difference that is not divided by its own error."""
    values = np.random.default_rng(2).standard_normal((400, 30))
    plain, scaled = (high_frequency_scatter(k * values, np.full(values.shape, k)) for k in (1.0, 2.0))
    assert np.allclose(plain, scaled) and np.median(plain) == pytest.approx(1.0, abs=0.05)


def test_scale_of_a_wrong_error_comes_back() -> None:
    """Guards against a scale that no longer repairs errors which are too small."""
    flux, smooth = _noisy(3)
    assert np.median(estimate_noise_scale(flux, 0.4 * SIGMA * smooth)) == pytest.approx(2.5, rel=0.04)


def test_slow_noise_counts_more_than_its_scatter() -> None:
    """Guards against an error of the depth that is that of white noise where noise lasts for half an hour."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(400, generator=generator, dtype=torch.float64)
    point, block = red_noise_factor(white, torch.ones_like(white))
    assert point == pytest.approx(1.0, abs=0.2) and block == pytest.approx(point, rel=0.2)
    wave = 0.7 * torch.sin(torch.arange(400) / 6.0).double()
    point, block = red_noise_factor(white + wave, torch.ones_like(white))
    assert point == pytest.approx(1.25, abs=0.25) and block > 1.5 * point


def test_few_or_wild_points_are_no_noise() -> None:
    """Guards against a variance from three points, and one that a single glitch sets."""
    assert red_noise_factor(torch.ones(5).double() * 9, torch.ones(5).double()) == (1.0, 1.0)
    z = torch.randn(200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z[17] = 1e4
    unknown = torch.ones(200, dtype=torch.float64)
    unknown[30] = 1e30
    assert red_noise_factor(z, unknown)[0] < 1.6


def test_a_column_with_few_points_has_no_scatter() -> None:
    """Guards against a robust sigma of two differences, and a warning about an empty column."""
    values = np.random.default_rng(4).standard_normal((60, 3))
    values[5:, 1] = np.nan
    scatter = high_frequency_scatter(values, np.ones_like(values))
    assert np.isnan(scatter[1]) and np.isfinite(scatter[[0, 2]]).all()
    assert np.isnan(high_frequency_scatter(values[:10], np.ones((10, 3)))).all()
