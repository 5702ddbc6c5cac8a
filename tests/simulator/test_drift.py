from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.drift import draw_drift
from spectramind_kit.simulator.wavelengths import grid_wavelengths

TIME = np.linspace(0.0, 7.5, 100)


def factors(kind: str, n: int) -> np.ndarray:
    rng, grid = np.random.default_rng(1), grid_wavelengths()
    return np.array([draw_drift(rng, grid, kind=kind).factor(TIME) for _ in range(n)])


def test_measured_drift_has_the_real_amplitudes_and_tail():
    """Guards against a drift that is absent, or without its tail: 5, 50, 95 % of 538 real curves, AIRS and
    FGS1."""
    found = factors("measured", 400)
    white = 1e6 * np.ptp(found[:, :, 40:322].mean(2), axis=1)
    assert np.percentile(white, [50, 95]) == pytest.approx([1017, 3380], rel=0.25)
    assert np.percentile(white, 5) == pytest.approx(100, rel=0.5)
    assert 1e6 * np.median(np.ptp(found[:, :, 0], axis=1)) == pytest.approx(709, rel=0.25)


def test_small_drift_has_the_amplitudes_of_the_first_simulator():
    """Guards the world `easy`."""
    found = factors("small", 200)
    ends = found[:, -1, 40:322] - found[:, 0, 40:322]
    assert ends.max(1).mean() == pytest.approx(5.0e-4, rel=0.3)
    assert ends.min(1).mean() == pytest.approx(-4.5e-4, rel=0.3)
    assert np.ptp(found[:, :, 0], axis=1).mean() == pytest.approx(5.5e-4, rel=0.3)


@pytest.mark.parametrize("kind, rank", [("small", 1), ("measured", 2)])
def test_drift_is_a_product_of_time_and_wavelength(kind, rank):
    """Guards against a drift that few products f(t)·g(λ) cannot describe."""
    assert np.linalg.matrix_rank(factors(kind, 1)[0] - 1.0, tol=1e-12) == rank
