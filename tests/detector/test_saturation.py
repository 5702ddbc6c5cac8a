"""Saturated pixels are found by their own pile of counts, and no other pixel is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.pixel_calibration import PixelCalibration
from spectramind_kit.detector.saturation import find_saturated

GAIN, OFFSET = 0.4369, -1000.0


def calibration(n: int) -> PixelCalibration:
    coefficients = np.zeros((6, n), np.float32)
    coefficients[1], coefficients[3] = 1.0, 1e-11
    return PixelCalibration(
        factor=np.float32(1 / GAIN),
        offset=np.float32(OFFSET),
        coefficients=coefficients,
        dark_charge=np.zeros(n, np.float32),
        inverse_flat=np.ones(n, np.float32),
        read_noise=np.full(n, 13 * np.sqrt(2), np.float32),
        bad=np.zeros(n, bool),
        n_hot=0,
    )


def reads(
    level: np.ndarray,
    *,
    ceiling: float = 1e5,
    coadded: float = 1.0,
    n: int = 700,
    depth: float = 0.01,
    jitter: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """(2n, P) counts of pixels with ``level`` (P,) e⁻ at the end of the ramp: transit, drift, a PSF that
    moves, noise, a full well."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n)[:, None]
    star = (1 - depth * (np.abs(x) < 0.4)) * (1 + 5e-4 * x - 3e-4 * x**2)
    # half of the pixels on a flank of the PSF, half at its peak, where the response is a parabola
    moved = jitter * rng.standard_normal((n, 1)) * np.where(np.arange(len(level)) % 2, 0.5, 0.0)
    peak = -((jitter * rng.standard_normal((n, 1))) ** 2) * np.where(np.arange(len(level)) % 2, 0.0, 0.5)
    last = level * star * (1 + moved + peak)
    last = last + np.sqrt(np.maximum(last, 0) / coadded) * rng.standard_normal(last.shape)
    both = np.stack([np.full_like(last, 50.0), np.minimum(last, ceiling)], axis=1).reshape(2 * n, -1)
    both = both + 13.0 / np.sqrt(coadded) * rng.standard_normal(both.shape)
    return np.clip((both - OFFSET) * GAIN, 0, 65535).astype(np.uint16)


CADENCES = [
    {"coadded": 1.0, "n": 700},
    {"coadded": 30.0, "n": 188},
    {"coadded": 1.0, "n": 2000, "jitter": 0.1},
    {"coadded": 30.0, "n": 2000, "jitter": 0.02},
]


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize("depth", (0.0, 0.01, 0.08))
def test_ordinary_pixels_are_left_alone(cadence, depth):
    """Guards against masking good pixels: none of 4,000 between 100 e⁻ and 96 % of the well, in any transit
    and pointing."""
    level = np.geomspace(100, 9e4 if cadence.get("jitter", 0) < 0.1 else 7e4, 4000)
    assert not find_saturated(reads(level, depth=depth, **cadence), calibration(4000)).any()


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize("ceiling", (4e4, 1e5))
def test_full_wells_are_found_wherever_they_end(cadence, ceiling):
    """Guards against a known ceiling: one saturated pixel among ordinary ones, another well, means of
    frames."""
    level = np.geomspace(100, 0.7 * ceiling, 300)
    level[[100, 201]] = 1.3 * ceiling, 3.0 * ceiling
    found = find_saturated(reads(level, ceiling=ceiling, **cadence), calibration(300))
    np.testing.assert_array_equal(np.flatnonzero(found), [100, 201])


@pytest.mark.parametrize("cadence", CADENCES[:2])
def test_a_pixel_that_saturates_out_of_transit_only(cadence):
    """Guards against a transit that is cut off at the top."""
    level = np.append(np.geomspace(100, 6e4, 300), 1.006e5)
    assert np.flatnonzero(find_saturated(reads(level, depth=0.02, **cadence), calibration(301))).tolist() == [
        300
    ]


def test_a_pixel_that_saturates_at_some_pointings_only():
    """Guards FGS1 at full cadence: jitter takes its brightest pixel to the ceiling now and then."""
    level = np.append(np.geomspace(100, 6e4, 301), 9.3e4)  # an odd number: on a flank
    adu = reads(level, n=2000, jitter=0.1)
    clipped = (adu[1::2, -1] > 0.998 * (1e5 - OFFSET) * GAIN).mean()
    assert 0.02 < clipped < 0.15
    assert np.flatnonzero(find_saturated(adu, calibration(302))).tolist() == [301]


def test_a_few_high_reads_are_no_pile():
    """Guards against a pixel that is masked for nine high reads by chance (one of 62 clean visits had
    one)."""
    adu = reads(np.geomspace(100, 6e4, 300), coadded=30.0, n=376)
    adu[1:19:2, 280] = adu[1::2, 280].max() + 25 + np.arange(9) % 4
    assert not find_saturated(adu, calibration(300)).any()


@pytest.mark.parametrize("end", [4095, 20_000])
def test_any_converter_has_an_end(end):
    """Guards against a converter of fewer bits, or one that clips elsewhere: in means of thirty frames its
    pile is no narrower than the photon noise, but it is one number."""
    level = np.geomspace(100, 9e4, 300)
    adu = np.minimum(reads(level, coadded=30.0, n=376), end)
    over = np.flatnonzero((adu[1::2] == end).mean(axis=0) > 0.05)
    assert len(over) > 10 and find_saturated(adu, calibration(300))[over].all()
    assert not find_saturated(adu, calibration(300))[level < 0.9 * (end / GAIN + OFFSET)].any()


def test_the_ends_of_converter_and_linearity():
    """Guards against reads of 65,535, and a polynomial that turns round below them."""
    adu = reads(np.geomspace(100, 6e4, 50))
    adu[1::2, 3] = 65535
    assert np.flatnonzero(find_saturated(adu, calibration(50))).tolist() == [3]
    pixels = calibration(50)
    coefficients = pixels.coefficients.copy()
    coefficients[2, 48] = -1e-5  # x − 1e-5 x²: flat at 50,000 e⁻
    adu = reads(np.geomspace(100, 6e4, 50))
    assert np.flatnonzero(find_saturated(adu, replace(pixels, coefficients=coefficients))).tolist() == [48]
