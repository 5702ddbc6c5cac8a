"""The foreground beside a wing that is a power law."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.wing import estimate_trace_foreground, estimate_window_foreground


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
