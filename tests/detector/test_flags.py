"""Texts of stage 1's flags: later stages look for their beginnings."""

from __future__ import annotations

from spectramind_kit.detector import flags
from spectramind_kit.errors import DataError


def test_what_they_say():
    """Guards the words that the anchor, the report and users know."""
    assert flags.saturated_pixels("FGS1", 1, 0.004) == "FGS1: 1 saturated pixel"
    assert flags.saturated_pixels("AIRS-CH0", 17, 0.031) == "AIRS-CH0: 17 saturated pixels, 3% of the light"
    assert flags.dropped_exposures("FGS1", {"no light": 3}) == "FGS1: 3 exposures dropped (no light)"
    assert (
        flags.dropped_exposures("FGS1", {"no light": 2, "repeated": 1})
        == "FGS1: 3 exposures dropped (2 no light, 1 repeated)"
    )
    assert flags.foreground_varies("AIRS-CH0", 9.1) == "AIRS-CH0: foreground varies by 9.1 e⁻/pixel"
    assert flags.empty_bins("AIRS-CH0", 1) == "AIRS-CH0: 1 time bin without a good exposure"


def test_a_missing_sensor_says_why_in_one_short_line():
    """Guards against a flag without its file, and one that is a screen long."""
    error = DataError(
        "a calibration file is missing",
        where="/some/folder/flat.parquet",
        found="no such file",
        fix="copy it again",
    )
    expected = "FGS1 missing: a calibration file is missing: flat.parquet (no such file)"
    assert flags.sensor_missing("FGS1", error) == expected
    long = flags.sensor_missing("FGS1", DataError("it broke", where="planet 3", found="x " * 500))
    assert len(long) < 190 and "\n" not in long


def test_remarks_are_told_from_faults():
    """Guards against a visit that counts as doubtful for the direction of its converter."""
    assert not flags.concerns_quality(flags.adc_multiplied("FGS1"))
    assert not flags.concerns_quality(flags.odd_number_of_frames("FGS1"))
    for flag in (
        flags.fewer_frames("FGS1", 10, 20),
        flags.saturated_pixels("FGS1", 1, 0.1),
        flags.dropped_exposures("FGS1", {"no light": 1}),
        flags.repeating_frames("FGS1", 0.95),
        flags.empty_bins("FGS1", 2),
        flags.foreground_varies("FGS1", 1.0),
        flags.lost_columns("AIRS-CH0", 3),
        flags.sensor_missing("FGS1", DataError("gone")),
    ):
        assert flags.concerns_quality(flag)


def test_what_concerns_the_folder_is_told_once():
    """Guards against one sentence for each of a thousand visits, and a visit's flag told for all."""
    assert flags.concerns_the_folder(flags.AXIS_TURNED) and flags.concerns_quality(flags.AXIS_TURNED)
    assert not flags.concerns_the_folder(flags.empty_bins("FGS1", 2))
