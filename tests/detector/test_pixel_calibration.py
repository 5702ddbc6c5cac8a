"""Calibration maps of the selected pixels, and what the settings do to them."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.calibration_set import find_hot_pixels, read_calibration
from spectramind_kit.detector.frames import select_pixels
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.pixel_calibration import prepare_pixels
from spectramind_kit.detector.settings import DetectorSettings


@pytest.fixture(scope="module")
def prepare(make_competition):
    calibration = read_calibration(find_visits(make_competition(), "train")[0], FGS1)

    def prepare(**changes):
        settings = DetectorSettings(**changes)
        selection = select_pixels(FGS1, settings)
        given = {"gain": 0.4, "offset": -1000.0, "direction": "divide", "dark_time_s": 4.5}
        return calibration, selection, prepare_pixels(calibration, selection, **given, settings=settings)

    return prepare


def test_maps_of_the_selected_pixels(prepare):
    """Guards against maps in another order than the pixels, and the noise of one read for that of two."""
    calibration, selection, pixels = prepare()
    assert pixels.factor == np.float32(2.5) and pixels.coefficients.shape == (6, len(selection))
    np.testing.assert_allclose(pixels.dark_charge, 4.5 * selection.take(calibration.dark), rtol=1e-6)
    flat = selection.take(calibration.flat)
    np.testing.assert_allclose(pixels.inverse_flat * flat, 1.0, rtol=1e-6)
    np.testing.assert_allclose(pixels.read_noise * flat, np.sqrt(2.0) * 12.0, rtol=1e-6)
    np.testing.assert_array_equal(pixels.bad, selection.take(calibration.unusable))


def test_switches(prepare):
    """Guards the switches of a correction: off means off, and hot pixels are masked on request only."""
    calibration, selection, pixels = prepare(linearity=False, flat=False, fill_dead=False)
    assert pixels.coefficients is None and (pixels.inverse_flat == 1.0).all() and not pixels.bad.any()
    _, _, masked = prepare(mask_hot=True, fill_dead=False, hot_clip_sigma=2.0)
    hot = selection.take(find_hot_pixels(calibration.dark, clip_sigma=2.0))
    np.testing.assert_array_equal(masked.bad, hot)
    assert masked.n_hot == hot.sum() > 0


def test_part_of_the_pixels(prepare):
    """Guards against a field that keeps all pixels: the rest would be shifted against it."""
    _, selection, pixels = prepare()
    part = pixels.part(slice(256, len(selection)))
    for name in ("dark_charge", "inverse_flat", "read_noise", "bad"):
        np.testing.assert_array_equal(getattr(part, name), getattr(pixels, name)[256:])
    np.testing.assert_array_equal(part.coefficients, pixels.coefficients[:, 256:])
