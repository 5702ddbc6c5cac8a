"""The foreground from a transit's dilution, with the truth known."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.dilution import measure_dilution

T, G = 187, 24
X = np.linspace(-1, 1, T)
DIP = np.clip((0.5 - np.abs(X)) / 0.08 + 0.5, 0, 1)
SKY, WING = np.linspace(22.0, 6.0, G), 30.0 + 15.0 * np.sin(np.arange(G))  # rings
NOISE = 0.2  # e⁻ per pixel of a group's bin


def visit(rng, *, depth=0.015, drift=0.0, noise=NOISE):
    """(T, G) beside the star and of its core, with depths that differ by a few per cent."""
    core = np.linspace(1.5e6, 1e5, G)
    star = 1.0 - depth * (1.0 + 0.03 * rng.standard_normal(G)) * DIP[:, None]
    gain = 1.0 + drift * (X + X**2)[:, None] * np.linspace(0.5, 1.5, G)
    photons = noise / NOISE * rng.standard_normal((T, G)) * np.sqrt(core / 30.0)
    return gain * (SKY + WING * star) + noise * rng.standard_normal((T, G)), gain * core * star + photons


@pytest.mark.parametrize("depth", (0.005, 0.015, 0.04))
def test_without_noise_it_is_the_truth(depth):
    """Guards the formula: no error that grows with the depth, nor with the star's share of the light."""
    found = measure_dilution(*visit(np.random.default_rng(0), depth=depth, noise=0.0))
    np.testing.assert_allclose(found.foreground, SKY, rtol=0.02)


@pytest.mark.parametrize("depth,drift", [(0.015, 0.0), (0.015, 3e-4), (0.004, 0.0), (0.0, 3e-4)])
def test_errors_are_those_that_are_made(depth, drift):
    """Guards the errors, by which a visit without a transit is to say nothing; drift within 0.5 σ."""
    rng = np.random.default_rng(1)
    level, pull = [], []
    for _ in range(60):
        found = measure_dilution(*visit(rng, depth=depth, drift=drift))
        weight = SKY / found.error**2
        level.append((weight * found.foreground).sum() / (weight * SKY).sum())
        pull.append((level[-1] - 1.0) * np.sqrt((weight * SKY).sum()))
    assert abs(np.mean(pull)) < 0.5 and np.std(pull) < 1.3
    assert np.std(level) < 0.1 or depth < 0.01, "two electrons of twenty"


def test_a_particle_does_not_count():
    """Guards against one bin that a cosmic ray lifts in the middle of the transit."""
    beside, core = visit(np.random.default_rng(2))
    clean = measure_dilution(beside, core)
    beside[T // 2, 3] += 50.0
    hit = measure_dilution(beside, core)
    assert abs(hit.foreground[3] - clean.foreground[3]) < 0.3 * clean.error[3]


def test_where_there_is_nothing_to_measure():
    """Guards against an exception or a number from a few bins, no star, a constant star, or NaN."""
    beside, core = visit(np.random.default_rng(3))
    assert measure_dilution(beside[:8], core[:8]) is None
    assert measure_dilution(beside, np.zeros_like(core)) is None
    assert measure_dilution(beside, np.ones_like(core)) is None
    assert measure_dilution(np.where(beside == beside.max(), np.nan, beside), core) is None
