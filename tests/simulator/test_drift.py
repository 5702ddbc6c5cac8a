from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.drift import draw_drift
from spectramind_kit.simulator.wavelengths import grid_wavelengths


def test_drift_has_the_real_amplitudes():
    """Guards against a drift that is absent, or so large that it would be seen at once."""
    rng, grid, time = np.random.default_rng(1), grid_wavelengths(), np.linspace(0.0, 7.5, 100)
    factors = np.array([draw_drift(rng, grid).factor(time) for _ in range(200)])
    ends = factors[:, -1, 40:322] - factors[:, 0, 40:322]
    assert ends.max(1).mean() == pytest.approx(5.0e-4, rel=0.3) and ends.min(1).mean() == pytest.approx(
        -4.5e-4, rel=0.3
    )
    assert np.ptp(factors[:, :, 0], axis=1).mean() == pytest.approx(5.5e-4, rel=0.3)


def test_drift_is_a_product_of_time_and_wavelength():
    """Guards against a drift that f(t)·g(λ) cannot describe."""
    factor = draw_drift(np.random.default_rng(2), grid_wavelengths()).factor(np.linspace(0.0, 7.5, 50)) - 1.0
    assert np.linalg.matrix_rank(factor, tol=1e-12) == 1
