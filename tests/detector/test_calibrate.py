"""Each effect undone, and the recipe."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector import calibrate as c
from spectramind_kit.detector.calibration_set import read_calibration
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.layout import find_visits
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


def test_wrong_frame_shape_is_an_error(make_competition):
    """Guards against broadcasting frames of one sensor with the maps of the other."""
    calibration = read_calibration(find_visits(make_competition(), "train")[0], FGS1)
    with pytest.raises(DataError, match="wrong shape"):
        c.calibrate_frames(
            np.zeros((4, 32, 356)), calibration, gain=1, offset=0, integration_time_s=np.zeros(4)
        )
