from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.limb_darkening_law import limb_darkening_coefficients
from spectramind_kit.simulator.wavelengths import bin_wavelengths


def test_levels_and_trends():
    """Guards against limb darkening far from that of the competition's stars, and against trends of the wrong
    sign."""
    u1, u2 = limb_darkening_coefficients(bin_wavelengths(), 5500.0)
    assert (u1[0], u2[0]) == pytest.approx((0.48, 0.12), abs=0.02)
    assert (u1[1:].mean(), u2[1:].mean()) == pytest.approx((0.12, 0.13), abs=0.02)
    assert (np.diff(u1[1:]) < 0).all()
    assert (limb_darkening_coefficients(bin_wavelengths(), 6500.0)[0] < u1).all()


def test_intensity_stays_positive():
    """Guards against a star that is dark at its limb by less than nothing."""
    rng = np.random.default_rng(0)
    for temperature in (4236.0, 5500.0, 6979.0):
        for _ in range(50):
            u1, u2 = limb_darkening_coefficients(bin_wavelengths(), temperature, rng=rng)
            assert (u1 + u2 < 1.0).all() and (u1 >= 0).all() and (u2 >= 0).all()
