"""Exposures and the common time grid."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import AxisInfo, read_axis_info
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import find_exposures, kept_edges, make_time_bins
from spectramind_kit.errors import DataError

SETTINGS = DetectorSettings()


def axis(
    n_airs: int = 11250, n_fgs1: int = 135000, *, fgs1_step: float = 0.4, fgs1_start: float = 0.1
) -> AxisInfo:
    """As the real file: AIRS pairs every 4.8 s, FGS1 pairs every 0.4 s, stamps of a pair 0.1 s apart."""
    airs = np.repeat(np.arange(n_airs // 2) * 4.8 + 0.1, 2)
    fgs1 = np.repeat(np.arange(n_fgs1 // 2) * fgs1_step + fgs1_start, 2)
    airs[1::2] += 0.1
    fgs1[1::2] += 0.1
    return AxisInfo(airs / 3600, fgs1 / 3600, np.linspace(4.08, 1.63, 356), np.tile([0.1, 4.5], n_airs // 2))


def both(a: AxisInfo, *, settings=SETTINGS):
    return tuple(find_exposures(a, i, len(a.time_h(i)), settings=settings)[0] for i in (AIRS, FGS1))


def test_real_cadence():
    """Guards against taking the AIRS stamps, 0.1 s apart, for the ramp, and bins that are not 12·n and n."""
    airs, fgs1 = both(axis())
    assert airs.ramp_s == pytest.approx(4.5) and fgs1.ramp_s == pytest.approx(0.1)
    assert airs.dark_time_s == pytest.approx(4.5) and fgs1.dark_time_s == pytest.approx(0.1)
    bins = make_time_bins(airs, fgs1, settings=SETTINGS)
    assert len(bins) == 187 and set(np.diff(bins.airs)) == {30} and set(np.diff(bins.fgs1)) == {360}
    assert bins.airs[-1] <= len(airs) - 1  # the last frame is dropped
    assert bins.width_h == pytest.approx(30 * 4.8 / 3600)
    fgs1_centres = fgs1.centre_h[: bins.fgs1[-1]].reshape(len(bins), -1).mean(axis=1)
    np.testing.assert_allclose(fgs1_centres, bins.centre_h, atol=1e-9)


@pytest.mark.parametrize("timing,expected", [("ramp", 4.5), ("integration_time", 4.4), ("off", 0.0)])
def test_dark_timing_switch(timing, expected):
    """Guards the switch for the disputed dark timing."""
    assert both(axis(), settings=DetectorSettings(dark_timing=timing))[0].dark_time_s == pytest.approx(
        expected
    )


@pytest.mark.parametrize("step", (0.31, 0.43, 0.7))
def test_any_ratio_of_the_sensors(step):
    """Guards against assuming 12 FGS1 exposures per AIRS exposure: each falls into the bin of its time."""
    a = axis(n_fgs1=2 * int(5625 * 4.8 / step), fgs1_step=step)
    airs, fgs1 = both(a)
    bins = make_time_bins(airs, fgs1, settings=SETTINGS)
    for k in (0, 50, len(bins) - 1):
        inside = fgs1.centre_h[bins.fgs1[k] : bins.fgs1[k + 1]]
        assert abs(inside.mean() - bins.centre_h[k]) * 3600 < step + 0.3
        assert abs(len(inside) - 144 / step) < 2


def test_fgs1_that_ends_early_shortens_the_grid():
    """Guards against empty bins where one sensor has no frames."""
    airs, fgs1 = both(axis(n_fgs1=100_000))
    bins = make_time_bins(airs, fgs1, settings=SETTINGS)
    assert 130 < len(bins) < 140 and (np.diff(bins.fgs1) > 0).all()


def test_one_sensor_alone_has_its_own_grid():
    """Guards the planets whose other sensor cannot be read: the same bins as both would have given."""
    airs, fgs1 = both(axis())
    bins = make_time_bins(airs, fgs1, settings=SETTINGS)
    for pair in ((airs, None), (None, fgs1)):
        alone = make_time_bins(*pair, settings=SETTINGS)
        assert len(alone) == len(bins) and alone.width_h == pytest.approx(bins.width_h)
        np.testing.assert_allclose(
            alone.centre_h, bins.centre_h, atol=1e-9 if alone.fgs1 is None else 3 / 3600
        )
    with pytest.raises(DataError, match="too few time bins"):
        make_time_bins(None, both(axis(n_fgs1=16))[1], settings=SETTINGS)


def test_a_gap_of_fgs1_leaves_bins_empty():
    """Guards against a visit that is lost for a hole in one sensor."""
    a = axis(n_fgs1=2 * 20_000, fgs1_step=0.43)
    stamps = a.fgs1_time_h.copy()
    stamps[20_000:] += 0.5
    airs, fgs1 = both(AxisInfo(a.airs_time_h, stamps, a.airs_wavelength_um, a.airs_integration_time_s))
    counts = np.diff(make_time_bins(airs, fgs1, settings=SETTINGS).fgs1)
    assert 8 < (counts == 0).sum() < 14 and counts[0] > 0 and counts[-1] > 0


def test_edges_of_bins_that_lost_exposures():
    """Guards the way from all exposures to the good ones: counts per bin, empty bins included."""
    good = np.ones(12, bool)
    good[[1, 4, 5, 6, 7]] = False
    np.testing.assert_array_equal(np.diff(kept_edges(np.array([0, 4, 8, 12]), good)), [3, 0, 4])


def test_frames_and_stamps_of_different_length():
    """Guards against a silent mismatch of axis_info and signal."""
    a = axis(n_airs=400, n_fgs1=4800)
    exposures, flags = find_exposures(a, AIRS, 300, settings=SETTINGS)
    assert exposures.lost_share == 0.25
    assert len(exposures) == 150 and "300 of 400" in flags[0]
    assert "odd number" in find_exposures(a, AIRS, 399, settings=SETTINGS)[1][-1]
    with pytest.raises(DataError, match="more frames than time stamps.*400.*402"):
        find_exposures(a, AIRS, 402, settings=SETTINGS, where="planet 3")
    with pytest.raises(DataError, match="too few frames"):
        find_exposures(a, AIRS, 4, settings=SETTINGS)


def test_short_visits_and_gaps_are_errors():
    """Guards against a light curve of three points."""
    airs, fgs1 = both(axis(n_airs=400, n_fgs1=4800))
    with pytest.raises(DataError, match="too few time bins"):
        make_time_bins(airs, fgs1, settings=DetectorSettings(exposures_per_bin=50))
    assert len(make_time_bins(airs, fgs1, settings=DetectorSettings(exposures_per_bin=3))) == 66
    late = both(axis(n_airs=400, n_fgs1=4800, fgs1_start=1e6))[1]
    with pytest.raises(DataError, match="too few time bins"):
        make_time_bins(airs, late, settings=SETTINGS)


def test_real_axis_info(reference_data):
    """Guards against a layout of the real axis_info that the synthetic ones do not have."""
    source = reference_data / "metadata"
    a = read_axis_info(source)
    assert (len(a.airs_time_h), len(a.fgs1_time_h)) == (11250, 135000)
    airs, fgs1 = both(a)
    bins = make_time_bins(airs, fgs1, settings=SETTINGS)
    assert len(bins) == 187 and set(np.diff(bins.fgs1)) == {360} and airs.ramp_s == 4.5
    assert fgs1.ramp_s == pytest.approx(0.1, abs=1e-3)
