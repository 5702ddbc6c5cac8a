"""Bad pixels of a trace are filled with their own column's light."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.dispersion_fill import DispersionFill


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
