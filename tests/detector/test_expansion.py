"""The expansion about a pixel's usual counts against the polynomial itself."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.calibrate import correct_linearity
from spectramind_kit.detector.expansion import calibrate_block, expand_calibration
from spectramind_kit.detector.pixel_calibration import PixelCalibration

P, N, FACTOR, OFFSET = 600, 300, 2.3, -1000.0


def pixels(*, curved: slice, linear: bool = True) -> PixelCalibration:
    """P pixels whose linearity polynomial is curved for some of them."""
    coefficients = np.zeros((6, P), np.float32)
    coefficients[0], coefficients[1] = 0.3, 1.01
    coefficients[2, curved], coefficients[3, curved] = 2e-6, -3e-11
    return PixelCalibration(
        factor=np.float32(FACTOR),
        offset=np.float32(OFFSET),
        coefficients=coefficients if linear else None,
        dark_charge=np.full(P, 0.7, np.float32),
        inverse_flat=np.linspace(0.9, 1.1, P).astype(np.float32),
        read_noise=np.full(P, 15.0, np.float32),
        bad=np.zeros(P, bool),
        n_hot=0,
    )


def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    level = np.linspace(500, 30_000, P)
    reads = np.stack([np.full((N, P), 440.0), level * (1 + 0.02 * rng.standard_normal((N, 1)))], axis=1)
    return (reads.reshape(2 * N, P) + 5 * rng.standard_normal((2 * N, P))).round().clip(0).astype(np.uint16)


@pytest.mark.parametrize("curved", [slice(0, 0), slice(0, P), slice(20, 580), slice(100, 200)])
def test_the_expansion_is_the_polynomial(curved):
    """Guards against terms that are dropped though they matter, and stretches that are put together wrong."""
    p, adu = pixels(curved=curved), counts()
    electrons = correct_linearity(adu * FACTOR + OFFSET, p.coefficients.astype(np.float64))
    expected = (electrons[1::2] - electrons[0::2] - p.dark_charge) * p.inverse_flat
    found = calibrate_block(adu, expand_calibration(adu, p))
    np.testing.assert_allclose(found, expected, atol=0.2, rtol=2e-6)


def test_part_of_the_pixels_gives_part_of_the_exposures():
    """Guards against a stretch of curved pixels that moves when the pixels before it are left out."""
    p, adu = pixels(curved=slice(20, 580)), counts()
    expansion = expand_calibration(adu, p)
    whole = calibrate_block(adu, expansion)
    for part in (slice(0, 10), slice(5, 300), slice(250, P), slice(590, P)):
        np.testing.assert_allclose(
            calibrate_block(adu[:, part], expansion.part(part)), whole[:, part], rtol=1e-5
        )


def test_without_linearity_it_is_a_straight_line():
    """Guards the switch: counts times factor over flat, less the dark."""
    p, adu = pixels(curved=slice(0, 0), linear=False), counts()
    found = calibrate_block(adu, expand_calibration(adu, p))
    difference = adu[1::2].astype(float) - adu[0::2]
    np.testing.assert_allclose(found, (difference * FACTOR - 0.7) * p.inverse_flat, atol=0.1, rtol=1e-6)
