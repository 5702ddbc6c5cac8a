"""The fast recipe is the plain one, and gives back the light that was put in."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector import calibrate as c
from spectramind_kit.detector.adc_info import read_adc_info
from spectramind_kit.detector.axis_info import read_axis_info
from spectramind_kit.detector.calibration_set import read_calibration
from spectramind_kit.detector.frames import all_pixels, read_frames
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.raw_visit import VisitSource, read_raw_visit
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.visit_frames import calibrate_raw, calibrate_visit


@pytest.mark.parametrize("instrument", (AIRS, FGS1))
def test_blocked_float32_equals_the_reference(make_competition, instrument):
    """Guards the fast path: same numbers as the plain float64 recipe, to 1e-6 of the brightest pixel."""
    data = make_competition()
    files = find_visits(data, "train")[0]
    settings = DetectorSettings(cosmic_rays=False)
    axis, adc = read_axis_info(data), read_adc_info(data)
    source = VisitSource(files, settings, axis, adc)
    raw = read_raw_visit(source, instrument, selection=all_pixels(instrument))
    fast = calibrate_raw(raw)
    calibration = read_calibration(files, instrument)
    adu = read_frames(files.signal(instrument), all_pixels(instrument))
    reference = c.calibrate_frames(
        adu,
        calibration,
        gain=adc.gain(instrument),
        offset=adc.offset(instrument),
        integration_time_s=np.tile([0.1, 0.1 + raw.exposures.ramp_s], len(raw.exposures)),
    )
    np.testing.assert_array_equal(fast.images.shape, reference.shape)
    good = ~calibration.unusable
    np.testing.assert_allclose(fast.images[:, good], reference[:, good], atol=1e-6 * np.nanmax(reference))
    binned = calibrate_raw(raw, bin_edges=np.arange(0, len(raw.exposures) + 1, 4)[:11])
    np.testing.assert_allclose(
        binned.images[:, good],
        reference[:40].reshape(10, 4, *instrument.shape).mean(1)[:, good],
        atol=1e-6 * np.nanmax(reference),
    )


def test_calibrate_visit_recovers_the_light(make_competition, kit):
    """Guards the recipe as a whole: the electrons that were put in come out, pixel by pixel."""
    data = make_competition(kit.Shape(noise=False))
    frames = calibrate_visit(
        find_visits(data, "train")[0], AIRS, settings=DetectorSettings(cosmic_rays=False)
    )
    n = frames.selection.n_grid
    image = frames.selection.take(kit.scene()[0])
    assert np.abs(frames.rest - kit.truth(kit.Shape())[0].mean() * image[n:])[~frames.bad[n:]].max() < 3.0
    image = image[:n]
    expected = kit.truth(kit.Shape())[0][:, None] * image
    good = ~frames.bad[:n]
    # the ADC's steps are 2.3 e⁻
    assert np.abs(frames.flux[:, good] - expected[:, good]).max() < 4.0
    assert abs((frames.flux[:, good] - expected[:, good]).mean()) < 0.3
