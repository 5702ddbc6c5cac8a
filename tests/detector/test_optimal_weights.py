"""Optimal weights keep the scale and lower the noise."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.optimal_weights import optimal_weights


def test_optimal_weights_are_unbiased_and_best():
    """Guards against an extraction that changes the scale of the flux, or is worse than the plain sum."""
    profile = np.exp(-0.5 * ((np.arange(16) - 7.5) / 1.2) ** 2)[:, None] * np.array([100.0, 3e4])
    variance = profile + 340.0
    w = optimal_weights(profile, variance)
    np.testing.assert_allclose((w * profile).sum(axis=0), profile.sum(axis=0))
    ratio = (w**2 * variance).sum(axis=0) / variance.sum(axis=0)
    assert ratio[0] < 0.5 and ratio[1] < 1.0
    assert np.isfinite(optimal_weights(np.zeros((16, 2)), np.ones((16, 2)))).all()
