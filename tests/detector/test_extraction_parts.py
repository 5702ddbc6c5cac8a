"""Cosmic rays, foreground, filling, jitter and noise: each against a truth made here."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.cosmic_rays import measure_pixel_scatter, replace_cosmic_rays
from spectramind_kit.detector.dispersion_fill import DispersionFill
from spectramind_kit.detector.foreground import estimate_trace_foreground, estimate_window_foreground
from spectramind_kit.detector.jitter import average_over_exposures, fit_jitter, remove_jitter
from spectramind_kit.detector.noise import measure_binned_scatter, measure_flux_err, measure_scatter
from spectramind_kit.detector.optimal_weights import optimal_weights


def test_cosmic_rays_are_found_and_noise_is_left_alone():
    """Guards against hits that stay, and against a clip that eats noise, a slope or a jump of all pixels."""
    rng = np.random.default_rng(0)
    sigma = rng.uniform(5, 200, 500)
    block = (
        rng.standard_normal((60, 500)) * sigma + 1000 + 3 * sigma * np.linspace(-1, 1, 60)[:, None]
    ).astype(np.float32)
    block[40] += 30 * sigma  # the pointing jumps
    clean = block.copy()
    where = (np.array([0, 7, 30, 59, 30]), np.array([3, 4, 100, 200, 101]))
    block[where] += (25 * sigma[where[1]]).astype(np.float32)
    scatter = measure_pixel_scatter(lambda a, b: clean[a:b], 30, read_noise=np.zeros(500))
    np.testing.assert_allclose(scatter, sigma, rtol=0.8)
    assert np.median(scatter / sigma) == pytest.approx(1.0, abs=0.06)
    assert replace_cosmic_rays(block, scatter, sigma=12.0) == 5
    assert (np.abs(block - clean)[where] < 6 * sigma[where[1]]).all()
    changed = block != clean
    assert changed.sum() == 5


@pytest.mark.parametrize("power,share", [(2.0, 0.3), (2.5, 0.5), (3.0, 0.2), (8.0, 0.01)])
def test_trace_foreground_without_the_wing(power, share):
    """Guards against star light taken for foreground: a bias of every depth by 0.6–0.8 %."""
    rng = np.random.default_rng(0)
    rows = np.r_[0:4, 8:24, 28:32].astype(float)
    distance = np.abs(rows - 15.4)
    wing = (distance**2 + 2.0) ** (-power / 2)
    all_rows = (np.abs(np.arange(32) - 15.4) ** 2 + 2.0) ** (-power / 2)
    profile = (1 - share) * np.exp(-0.5 * (distance / 1.1) ** 2) / 2.757 + share * wing / all_rows.sum()
    star = np.linspace(1e5, 5e3, 282)
    truth = 6.0 + 3.0 * np.linspace(0, 1, 282) ** 2
    image = profile[:, None] * star + truth + 0.3 * rng.standard_normal((24, 282))
    bad = rng.random(image.shape) < 0.005
    image[bad] = 0.0
    edge = (rows < 4) | (rows >= 28)
    foreground, at_edge = estimate_trace_foreground(image, rows, edge=edge, bad=bad)
    plain, _ = estimate_trace_foreground(image, rows, edge=edge, bad=bad, remove_wing=False)
    error = 16 * np.abs(foreground - truth) / star
    assert error.max() < 1.5e-3, "a depth is biased by at most 0.15 %"
    if share >= 0.3:
        assert error.mean() < 0.1 * (16 * np.abs(plain - truth) / star).mean()
        np.testing.assert_allclose(at_edge.mean(), (profile[edge].mean() * star).mean(), rtol=0.1)


def test_foreground_of_nothing_and_of_negative_light():
    """Guards against NaN, an exception or a clip where there is no star, or the edges are below zero."""
    rows = np.r_[0:4, 8:24, 28:32].astype(float)
    edge = (rows < 4) | (rows >= 28)
    nothing = np.full((24, 282), -3.0)
    foreground, star = estimate_trace_foreground(nothing, rows, edge=edge, bad=np.zeros((24, 282), bool))
    np.testing.assert_allclose(foreground, -3.0, atol=0.1)
    np.testing.assert_allclose(star, 0.0, atol=0.1)
    bad = np.zeros((24, 282), bool)
    bad[edge] = True
    foreground, _ = estimate_trace_foreground(nothing, rows, edge=edge, bad=bad)
    assert np.isfinite(foreground).all()


def test_window_foreground():
    """Guards the FGS1 foreground: corners hold as much star light as sky."""
    row, column = (v.ravel() for v in np.mgrid[8:24, 8:24])
    corner = np.r_[0:4, 28:32]
    r, c = (v.ravel() for v in np.meshgrid(corner, corner, indexing="ij"))
    row, column = np.r_[row, r].astype(float), np.r_[column, c].astype(float)
    radius = np.hypot(row - 15.4, column - 15.3)
    star = 2.5e5 * (1.2 / np.pi / 2.2**2) * (1 + radius**2 / 2.2**2) ** -2.2
    found, at_corner = estimate_window_foreground(
        star + 0.8, row, column, n_window=256, bad=np.zeros(320, bool)
    )
    assert found == pytest.approx(0.8, abs=0.15) and at_corner == pytest.approx(star[256:].mean(), rel=0.15)
    plain, _ = estimate_window_foreground(
        star + 0.8, row, column, n_window=256, bad=np.zeros(320, bool), remove_wing=False
    )
    assert plain > 1.5


def test_dead_pixels_follow_their_own_column():
    """Guards against a filled pixel with its neighbours' spectrum, and against jitter that moves light past a
    hole."""
    rng = np.random.default_rng(0)
    rows = np.arange(16.0)
    shift = 0.1 * rng.standard_normal(30)
    star = 3e4 * (1 + 0.3 * np.sin(np.arange(282) / 3.0)) * (1 - 0.02 * (np.arange(30) > 15))[:, None]
    profile = np.exp(-0.5 * ((rows[None, :] - 7.5 - shift[:, None]) / 1.2) ** 2) / 3.008
    truth = (profile[:, :, None] * star[:, None, :]).astype(np.float32)
    bad = rng.random((16, 282)) < 0.01
    bad[7, 0] = bad[8, 281] = bad[6, 100:103] = True
    images = truth.copy()
    images[:, bad] = 0.0
    DispersionFill.plan(images.mean(axis=0), bad).apply(images)
    np.testing.assert_allclose(images.sum(axis=1), truth.sum(axis=1), rtol=2e-5)
    lost = np.ones((16, 282), bool)
    assert (DispersionFill.plan(images.mean(axis=0), lost).values(images) == 0).all()


def test_jitter_is_removed_and_the_transit_is_not():
    """Guards against a jitter model that eats the transit (features that correlate with it) or leaves the
    jitter."""
    rng = np.random.default_rng(0)
    edges = np.arange(0, 3001, 30)
    transit = np.where((np.arange(3000) > 1000) & (np.arange(3000) < 2000), 0.985, 1.0)
    features = 0.1 * rng.standard_normal((3000, 3))
    features[:, 0] += 0.05 * (transit < 1)  # the pointing moves during the transit, of all times
    factor = 1 + features @ np.array([0.02, -0.03, 0.0])
    flux = 1e5 * transit * factor * (1 + 5e-4 * rng.standard_normal(3000))
    clean, explained = remove_jitter(flux, features, edges=edges)
    depth = 1 - clean[1001:2000].mean() / np.r_[clean[:1000], clean[2001:]].mean()
    assert depth == pytest.approx(0.015, abs=6e-5)
    assert explained > 0.9 and (clean / transit).std() / 1e5 < 5.5e-4
    alone, _ = remove_jitter(1e5 * transit * (1 + 1e-4 * rng.standard_normal(3000)), features, edges=edges)
    assert alone.std() == pytest.approx(1e5 * transit.std(), rel=1e-2)


def test_weak_series_take_the_common_response():
    """Guards against 282 noisy wavelengths that each fit their own noise."""
    rng = np.random.default_rng(0)
    edges = np.arange(0, 201, 1)
    features = rng.standard_normal((200, 4))
    noise = rng.standard_normal((200, 282))
    flux = 1e4 * (1 + 1e-3 * features[:, :1]) * (1 + 5e-3 * noise)
    factor, _ = fit_jitter(flux, features, edges=edges)
    response = factor(features + np.eye(4)[0]) - factor(features)
    np.testing.assert_allclose(response.mean(), 1e-3, rtol=0.2)
    clean = flux / factor(features)
    assert clean.std(axis=0).mean() / 1e4 == pytest.approx(5e-3, rel=0.01), "no noise is fitted away"


def test_features_are_averaged_over_each_exposure():
    """Guards the mapping of FGS1's pointing to AIRS exposures for any ratio, and where FGS1 has a gap."""
    time = np.arange(100) * 0.4
    values = np.stack([time, time**2], axis=1)
    mean = average_over_exposures(
        values, time, start_h=np.array([0.0, 10.0, 50.0]), end_h=np.array([4.0, 10.1, 55.0])
    )
    np.testing.assert_allclose(mean[0], values[:10].mean(axis=0))
    np.testing.assert_allclose(mean[1], values[25])
    np.testing.assert_allclose(mean[2], values[99])


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


def test_optimal_weights_are_unbiased_and_best():
    """Guards against an extraction that changes the scale of the flux, or is worse than the plain sum."""
    profile = np.exp(-0.5 * ((np.arange(16) - 7.5) / 1.2) ** 2)[:, None] * np.array([100.0, 3e4])
    variance = profile + 340.0
    w = optimal_weights(profile, variance)
    np.testing.assert_allclose((w * profile).sum(axis=0), profile.sum(axis=0))
    ratio = (w**2 * variance).sum(axis=0) / variance.sum(axis=0)
    assert ratio[0] < 0.5 and ratio[1] < 1.0
    assert np.isfinite(optimal_weights(np.zeros((16, 2)), np.ones((16, 2)))).all()
