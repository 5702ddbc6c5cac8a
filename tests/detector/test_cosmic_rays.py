"""Cosmic rays are found, and noise, slopes and jumps are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.cosmic_rays import measure_pixel_scatter, replace_cosmic_rays


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
