"""Each effect undone, and the recipe."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector import calibrate as c
from spectramind_kit.detector.calibration_set import read_calibration
from spectramind_kit.detector.frames import all_pixels, read_frames
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits, read_adc_info, read_axis_info
from spectramind_kit.detector.raw_visit import VisitSource, read_raw_visit
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import dark_read_times
from spectramind_kit.detector.visit_frames import calibrate_raw, calibrate_visit
from spectramind_kit.errors import DataError


def test_adc_never_wraps_around_in_integers():
    """Guards against uint16 arithmetic: 0 counts are −1000 e⁻, not 64,536."""
    adu = np.array([0, 437, 65535], np.uint16)
    np.testing.assert_allclose(
        c.convert_adu_to_electrons(adu, gain=0.4369, offset=-1000.0), adu / 0.4369 - 1000.0
    )
    np.testing.assert_allclose(
        c.convert_adu_to_electrons(adu, gain=2.0, offset=5.0, direction="multiply"), [5, 879, 131075]
    )


def test_adc_direction_follows_the_unlit_reads():
    """Guards against the disputed direction: unlit reads must come out near zero electrons, whichever way
    they were made."""
    e = np.random.default_rng(0).normal(0, 15, 1000)
    for direction, adu in (("divide", (e + 1000) * 0.4369), ("multiply", (e + 1000) / 0.4369)):
        assert c.choose_adc_direction(adu, gain=0.4369, offset=-1000.0) == direction
    assert c.choose_adc_direction(e, gain=0.4369, offset=0.0) == "divide"


def test_horner_is_the_polynomial():
    """Guards against coefficients in the wrong order."""
    rng = np.random.default_rng(0)
    k = rng.normal(size=(6, 3, 4)) * (1e-4 ** np.arange(6))[:, None, None]
    x = rng.uniform(0, 3e4, (5, 3, 4))
    expected = np.stack(
        [[np.polyval(k[::-1, i, j], x[:, i, j]) for j in range(4)] for i in range(3)]
    ).transpose(2, 0, 1)
    np.testing.assert_allclose(c.correct_linearity(x, k), expected, rtol=1e-12)


def test_cds_and_dark():
    """Guards against even and odd reads swapped, and a dark that cancels in the difference."""
    reads = np.array([[10.0], [100.0], [20.0], [220.0], [1.0]])
    np.testing.assert_array_equal(c.subtract_correlated_reads(reads), [[90.0], [200.0]])
    dark = c.subtract_dark(reads[:4], np.array([2.0]), integration_time_s=np.tile([0.1, 4.6], 2))
    np.testing.assert_allclose(c.subtract_correlated_reads(dark), [[81.0], [191.0]])
    with pytest.raises(DataError, match="too few frames"):
        c.subtract_correlated_reads(reads[:1])


def test_interpolation_fills_edges_and_whole_rows():
    """Guards against an index error or NaN at the ends of a row and in a dead row."""
    frames = np.tile(np.arange(5.0), (2, 3, 1))
    bad = np.zeros((3, 5), bool)
    bad[0, [0, 2]], bad[1, 4], bad[2] = True, True, True
    filled = c.interpolate_bad_pixels(np.where(bad, np.nan, frames), bad)
    np.testing.assert_allclose(filled[0], [[1, 1, 2, 3, 4], [0, 1, 2, 3, 3], [0] * 5])


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
        integration_time_s=dark_read_times(instrument, raw.exposures),
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


def test_wrong_frame_shape_is_an_error(make_competition):
    """Guards against broadcasting frames of one sensor with the maps of the other."""
    calibration = read_calibration(find_visits(make_competition(), "train")[0], FGS1)
    with pytest.raises(DataError, match="wrong shape"):
        c.calibrate_frames(
            np.zeros((4, 32, 356)), calibration, gain=1, offset=0, integration_time_s=np.zeros(4)
        )
