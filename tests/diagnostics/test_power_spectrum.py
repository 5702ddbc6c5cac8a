"""Power spectra against NumPy's FFT and against the statistics of white noise."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.diagnostics.power_spectrum import (
    false_alarm_level,
    fourier_frequencies,
    periodogram,
    white_noise_interval,
)
from spectramind_kit.errors import DataError


def test_equals_the_fft_on_even_samples():
    """Oracle: with equal errors and even samples the estimator is |FFT|² / (N σ²)."""
    rng = np.random.default_rng(0)
    for n in (64, 187):
        time, sigma = 0.04 * np.arange(n), 3.0
        values = sigma * rng.normal(size=n)
        found = periodogram(time, values, np.full(n, sigma))
        expected = np.abs(np.fft.rfft(values)) ** 2 / n / sigma**2
        np.testing.assert_allclose(found.power, expected[1 : 1 + len(found.power)], rtol=1e-9)
        np.testing.assert_allclose(
            found.frequency, np.fft.rfftfreq(n, 0.04)[1 : 1 + len(found.power)], rtol=1e-12
        )
        assert found.frequency[-1] < 0.5 / 0.04


def test_white_noise_has_level_one_and_the_stated_false_alarms():
    """Guards against a level that is scaled by the data: unequal errors and missing points must still give
    1."""
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0, 7.5, 150))
    error = rng.uniform(0.5, 2.0, 150)
    residual = error * rng.normal(size=(1500, 150))
    residual[:, 20:25] = np.nan
    found = periodogram(time, residual, error, frequency=np.arange(1, 60) / 7.5)
    assert found.power.mean() == pytest.approx(1.0, abs=0.02)
    assert found.power.std() == pytest.approx(1.0, abs=0.04)
    even = periodogram(0.04 * np.arange(101), rng.normal(size=(1500, 101)), np.ones(101))
    alarms = (even.power.max(axis=1) > false_alarm_level(even.frequency.size, probability=0.05)).mean()
    assert alarms == pytest.approx(0.05, abs=0.02)


def test_a_sinusoid_is_found_with_its_amplitude():
    """Guards against a wrong frequency unit (1/h) or a wrong amplitude."""
    time = 0.04 * np.arange(188)
    frequency = fourier_frequencies(time)
    wave = 30e-6 * np.sin(2 * np.pi * frequency[11] * time + 0.7)
    found = periodogram(time, wave, np.full(188, 100e-6))
    assert int(np.argmax(found.power)) == 11
    assert found.amplitude[11] == pytest.approx(30e-6, rel=1e-6)


def test_averaged_levels_follow_the_gamma_law():
    """Guards against a false-alarm line that forgets that spectra were averaged."""
    power = np.random.default_rng(2).exponential(size=(4000, 20, 50)).mean(axis=1)
    level = false_alarm_level(50, probability=0.1, n_averaged=20)
    assert (power.max(axis=1) > level).mean() == pytest.approx(0.1, abs=0.02)
    low, high = white_noise_interval(20)
    assert ((power > low) & (power < high)).mean() == pytest.approx(0.95, abs=0.01)


def test_what_cannot_be_analysed():
    """Guards against a silent wrong answer: too few points are NaN, mismatched lengths an error."""
    assert np.isnan(periodogram(np.arange(9.0), np.r_[1, 2, 3, np.full(6, np.nan)], np.ones(9)).power).all()
    with pytest.raises(DataError, match="differ in length"):
        periodogram(np.arange(9.0), np.ones(8), np.ones(8))
    with pytest.raises(DataError, match="too few points"):
        fourier_frequencies(np.arange(3.0))
