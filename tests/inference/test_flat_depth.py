"""Flat depths of light curves whose depth is known, and the baseline made of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.inference.flat_depth import estimate_flat_depth, fit_flat_baseline, flat_depths
from spectramind_kit.metric import Metric

METRIC = Metric(0.0147, 0.0107)


def visit(depth=0.012, t0=3.6, length=3.2, ingress=0.5, noise=1e-4, slope=2e-4, seed=0):
    rng = np.random.default_rng(seed)
    time = np.linspace(0.02, 7.48, 187)
    shape = np.clip((0.5 * length - np.abs(time - t0)) / ingress + 0.5, 0, 1)
    flux = (
        1.4e7 * (1 - depth * shape) * (1 + slope * (time / 7.5) ** 2) * (1 + rng.normal(0, noise, time.size))
    )
    return SimpleNamespace(time=time, white_airs=flux)


@pytest.mark.parametrize("depth", [0.004, 0.0147, 0.08])
@pytest.mark.parametrize("t0", [3.0, 4.5])
def test_depth_of_a_trapezoid(depth, t0):
    """Guards against a yardstick that is off where the transit is early, late, shallow or deep."""
    assert estimate_flat_depth(visit(depth=depth, t0=t0)) == pytest.approx(depth, rel=0.04)


def test_broken_visits_give_nan_and_the_good_one_counts():
    """Guards against one dead visit turning a planet's depth into NaN."""
    dead = SimpleNamespace(time=np.arange(20.0), white_airs=np.full(20, np.nan), fgs1=np.full(20, np.nan))
    found = flat_depths({1: [visit(), dead], 2: [dead]})
    assert found[1] == pytest.approx(0.012, rel=0.05) and np.isnan(found[2])


def test_a_visit_without_airs_takes_fgs1():
    """Guards against a planet that falls back to the median of all, though one sensor shows its transit."""
    whole = visit(depth=0.02)
    alone = SimpleNamespace(time=whole.time, white_airs=np.full(187, np.nan), fgs1=whole.white_airs)
    assert estimate_flat_depth(alone) == pytest.approx(0.02, rel=0.04)


def test_baseline_learns_offset_and_sigma():
    """Guards against a baseline without the ratio that limb darkening asks for, or with a useless sigma."""
    rng = np.random.default_rng(1)
    depth = rng.uniform(0.005, 0.03, (40, 1)) + rng.normal(0, 1e-4, (40, 283))
    flat = 1.04 * depth.mean(1) + rng.normal(0, 1e-4, 40)
    ratio, sigma = fit_flat_baseline(depth, flat, metric=METRIC)
    assert ratio == pytest.approx(1 / 1.04, rel=0.01) and 1e-4 < sigma < 4e-4
