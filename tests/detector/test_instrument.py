"""The two sensors."""

from __future__ import annotations

import dataclasses

import pytest

from spectramind_kit.detector.instrument import AIRS, FGS1, INSTRUMENTS, N_AIRS_BINS, N_BINS


def test_the_cut_holds_the_spectrum():
    """Guards against a cut and a number of bins that do not fit: columns would be paired wrongly."""
    assert AIRS.cut.stop - AIRS.cut.start == N_AIRS_BINS == N_BINS - 1
    assert FGS1.cut == slice(0, FGS1.columns) and AIRS.cut.stop <= AIRS.columns


def test_no_two_sensors_share_a_name():
    """Guards against figures or files of one sensor that overwrite the other's."""
    for name in ("name", "key", "time_column"):
        assert len({getattr(sensor, name) for sensor in INSTRUMENTS}) == len(INSTRUMENTS)
    assert (
        FGS1.signal_file(1) == "FGS1_signal_1.parquet"
        and AIRS.calibration_folder(0) == "AIRS-CH0_calibration_0"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        AIRS.rows = 31
