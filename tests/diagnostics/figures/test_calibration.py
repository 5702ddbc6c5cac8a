"""Pulls, coverage and reliability say "honest" of errors that are drawn with the stated σ."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spectramind_kit.diagnostics.figures.calibration import (
    coverage,
    plot_pulls,
    plot_reliability,
    reliability_curve,
)


def test_honest_sigmas_have_unit_pulls(run, texts):
    """Inverse: the example's errors are drawn with the stated σ, so the widths in the legends must say so."""
    widths = [float(width) for width in re.findall(r"width (\d\.\d+)", texts(plot_pulls(run)))]
    assert len(widths) == 4 and all(0.5 < w < 1.6 for w in widths) and min(abs(w - 1) for w in widths) < 0.03


def test_coverage_of_a_gaussian_is_the_nominal_share():
    """Oracle: one σ holds 68.27 %; a σ that is half as large as it should be holds 38.3 %."""
    pull = np.random.default_rng(0).normal(size=20000)
    assert coverage(pull, np.array([0.6827]))[0] == pytest.approx(0.6827, abs=0.015)
    assert coverage(2 * pull, np.array([0.6827]))[0] == pytest.approx(0.3829, abs=0.015)


def test_honest_sigmas_lie_on_the_line():
    """Inverse: groups of planets with known σ; also with fewer planets than groups."""
    rng = np.random.default_rng(0)
    sigma = np.exp(rng.normal(size=(400, 1))) * np.ones(50)
    x, y, bars = reliability_curve(sigma, sigma * rng.normal(size=sigma.shape))
    np.testing.assert_allclose(y / x, 1.0, atol=0.1)
    assert (bars >= 0).all() and len(x) == 8 and (np.diff(x) > 0).all()
    assert len(reliability_curve(sigma[:2], sigma[:2])[0]) == 1


def test_both_sets_are_on_the_same_axes(run):
    """Guards against a line "σ = error" that leaves the square, or a set outside the limits."""
    figure = plot_reliability(run)
    for axis in figure.axes:
        assert axis.get_xlim() == axis.get_ylim() and len(axis.containers) == 2
