from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.constants import AIRS, FGS1, SENSORS, VISIT_H, planck_photons


def test_pairs_fill_the_visit():
    """Guards against a cadence and a number of pairs that do not make 7.5 h."""
    for sensor in SENSORS:
        assert sensor.pairs * sensor.period_s == pytest.approx(VISIT_H * 3600.0)
        assert sensor.last_s < sensor.period_s
    assert (AIRS.exposure_s, FGS1.exposure_s) == pytest.approx((4.5, 0.1))


def test_black_body_has_wiens_peak_and_the_long_wave_limit():
    """Guards against Planck's law in energy instead of photons, or with a wrong exponent."""
    wavelength = np.linspace(0.2, 3.0, 20_000)
    peak = wavelength[planck_photons(wavelength, 5778.0).argmax()]
    assert peak == pytest.approx(3669.7 / 5778.0, rel=1e-3)  # Wien's law in photons: 3669.7 µm K
    assert planck_photons(1e4, 6000.0) / planck_photons(1e4, 3000.0) == pytest.approx(2.0, rel=1e-3)
