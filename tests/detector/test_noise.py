"""The noise that is measured is the noise."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.noise import measure_binned_scatter, measure_flux_err, measure_scatter


def test_scatter_is_the_noise_not_the_transit():
    """Guards flux_err: a deep transit with fast ingress must not count as noise, a slope neither."""
    rng = np.random.default_rng(0)
    t = np.linspace(-3.75, 3.75, 187)
    transit = 1 - 0.02 * np.clip((1.6 - np.abs(t)) / 0.4, 0, 1)
    flux = (transit + 1e-3 * t)[:, None] + 1e-4 * rng.standard_normal((187, 200))
    measured = measure_scatter(flux)
    assert np.median(measured) == pytest.approx(1e-4, rel=0.2)
    flat = measure_scatter(1e-4 * rng.standard_normal((187, 200)))
    assert flat.mean() == pytest.approx(1e-4, rel=0.02)
    fine = np.interp(np.linspace(-3.75, 3.75, 187 * 360), t, transit) + 2e-3 * rng.standard_normal(187 * 360)
    assert measure_binned_scatter(fine, np.arange(0, 187 * 360 + 1, 360)) == pytest.approx(
        2e-3 / np.sqrt(360), rel=0.06
    )


def test_flux_err_is_right_to_ten_percent():
    """Guards the promise of the store: σ right to 10 % per wavelength, also where the prediction is off."""
    rng = np.random.default_rng(0)
    sigma = np.linspace(10.0, 50.0, 282)
    flux = 1e4 + sigma * rng.standard_normal((187, 282))
    error = measure_flux_err(flux, sigma * np.linspace(1.5, 0.5, 282))
    assert error.dtype == np.float32 and error.shape == flux.shape
    assert np.abs(error.mean(axis=0) / sigma - 1).max() < 0.1
    flux[:, 100] += 300 * rng.standard_normal(187)
    assert measure_flux_err(flux, sigma)[:, 100].mean() > 200, "a noisy wavelength keeps its own σ"
