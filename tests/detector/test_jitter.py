"""Jitter is removed, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.jitter import average_over_exposures, fit_jitter, remove_jitter


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
