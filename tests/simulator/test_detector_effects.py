from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator import detector_effects as effect
from spectramind_kit.simulator.calibration_maps import draw_maps
from spectramind_kit.simulator.constants import FGS1

SHAPE = (200, 16, 16)


def test_shot_noise_of_a_ramp_accumulates():
    """Guards against reads whose photon noise is independent: the difference would be noisier than its own
    photons."""
    first, last = np.full(SHAPE, 2_000.0, np.float32), np.full(SHAPE, 12_000.0, np.float32)
    effect.add_shot_noise(first, last, np.random.default_rng(0), n=1.0)
    assert first.var() == pytest.approx(2_000.0, rel=0.03) and last.var() == pytest.approx(12_000.0, rel=0.03)
    assert (last - first).var() == pytest.approx(10_000.0, rel=0.03)


def test_a_mean_of_n_frames_has_less_noise():
    """Guards against reduced frames as noisy as single ones."""
    first, last = np.full(SHAPE, 2_000.0, np.float32), np.full(SHAPE, 12_000.0, np.float32)
    effect.add_shot_noise(first, last, np.random.default_rng(0), n=25.0)
    assert (last - first).var() == pytest.approx(400.0, rel=0.03)


def test_reset_noise_cancels_in_the_difference():
    """Guards against reset noise in the CDS frames."""
    first, last = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    effect.add_ktc_noise(first, last, np.random.default_rng(0), n=1.0)
    assert first.std() == pytest.approx(effect.KTC_E, rel=0.02) and np.array_equal(first, last)


def test_read_noise_follows_its_map():
    """Guards against one σ for all pixels."""
    sigma = np.linspace(5.0, 40.0, 256).reshape(16, 16)
    noise = effect.add_read_noise(
        np.zeros((4000, 16, 16), np.float32), sigma, np.random.default_rng(0), n=1.0
    )
    assert noise.std(0) == pytest.approx(sigma, rel=0.08)


def test_cosmic_rays_are_rare_and_positive():
    """Guards against a rate per frame where one per sample is meant."""
    last = np.zeros((1000, 32, 356), np.float32)
    hits = effect.add_cosmic_rays(last, np.random.default_rng(0), n=1.0)
    assert hits == pytest.approx(
        effect.COSMIC_RATE * last.size, abs=5 * np.sqrt(effect.COSMIC_RATE * last.size)
    )
    assert last.min() == 0.0 and last.max() > 500.0 and (last > 0).sum() <= 3 * hits


def test_saturation_and_dark():
    """Guards against pixels beyond the full well, and against a dark current that ignores the time since
    reset."""
    assert effect.saturate(np.array([9e4, 2e5], np.float32)).tolist() == [
        pytest.approx(9e4),
        effect.FULL_WELL_E,
    ]
    assert effect.add_dark(np.zeros((1, 2), np.float32), np.array([0.5, 2.0]), 4.6) == pytest.approx(
        np.array([[2.3, 9.2]]), rel=1e-6
    )


def test_adc_floors_and_is_undone_by_the_recipe():
    """Guards against the wrong direction of the gain, against wrapping of uint16, and against rounding where
    the ADC floors."""
    electrons = np.array([-50.0, 0.0, 1_000.0, 60_000.0, 1e6])
    adu = effect.digitise(electrons.astype(np.float32), gain=0.4369, offset=-1000.0)
    assert adu.dtype == np.uint16 and adu[-1] == 65535
    back = adu[:-1] / 0.4369 - 1000.0
    assert ((electrons[:-1] - back >= -0.01) & (electrons[:-1] - back < 1 / 0.4369 + 0.01)).all()
    assert effect.digitise(np.array([-5000.0], np.float32), gain=0.4369, offset=-1000.0)[0] == 0


def test_a_star_far_beyond_the_full_well_stays_there():
    """Guards against the polynomial's turn: ten times the full well came out as a faint star."""
    maps = draw_maps(21, "train", 0, FGS1)
    coefficients = maps.delinearity[:, 10:20, 10:20] * np.where(maps.dead_mask, 0.0, 1.0)[10:20, 10:20]
    charge = np.geomspace(1e4, 3e6, 200, dtype=np.float32).reshape(200, 1, 1) * np.ones(
        (1, 10, 10), np.float32
    )
    held = effect.saturate(effect.add_nonlinearity(charge.copy(), coefficients))
    assert (np.diff(held, axis=0) >= 0).all()
    assert (held[charge > effect.OVERFLOW * effect.FULL_WELL_E] == effect.FULL_WELL_E).all()


def test_nonlinearity_applies_each_pixels_polynomial():
    """Guards against a Horner scheme that drops a coefficient."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(6, 4, 4)) * 1e-3
    coefficients[1] += 1.0
    x = rng.uniform(0, 70_000, (5, 4, 4)).astype(np.float32)
    expected = sum(c * (x.astype(float) / 75_000.0) ** k for k, c in enumerate(coefficients)) * 75_000.0
    assert effect.add_nonlinearity(x.copy(), coefficients) == pytest.approx(expected, rel=1e-5, abs=0.05)
