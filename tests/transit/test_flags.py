from __future__ import annotations

from dataclasses import fields

from spectramind_kit.transit import DepthMeasurement, flags


def _names() -> list[str]:
    return [value for name, value in vars(flags).items() if name.isupper() and isinstance(value, str)]


def test_a_flag_is_found_for_whichever_visit() -> None:
    """Guards against a flag of the second visit that widens no error."""
    for visit in (0, 1):
        for n_visits in (1, 2):
            carried = [flags.of_visit(flags.POOR_FIT, visit, n_visits=n_visits)]
            assert flags.has(carried, flags.GRAZING, flags.POOR_FIT)
            assert not flags.has(carried, flags.GRAZING)
    assert flags.of_visit(flags.POOR_FIT, 1, n_visits=2) != flags.of_visit(flags.POOR_FIT, 0, n_visits=2)


def test_no_flag_is_taken_for_another() -> None:
    """Guards against "near grazing" that counts as "grazing"."""
    names = _names()
    assert len(set(names)) == len(names) > 10
    for name in names:
        assert [other for other in names if flags.has([name], other)] == [name]


def test_what_broke_is_told_in_one_line() -> None:
    """Guards against a table of flags that a long message of torch tears apart, and an error without one."""
    assert flags.fit_failed(ValueError("first\nsecond")) == "fit failed: ValueError: first"
    assert flags.fit_failed(RuntimeError()) == "fit failed: RuntimeError: "
    assert len(flags.fit_failed(ValueError("x" * 1000))) < 130


def test_a_measurement_has_every_quality(measurement: DepthMeasurement) -> None:
    """Guards against a number that predicts the error under a name that nobody asks for."""
    assert list(measurement.quality) == [f.name for f in fields(flags.Quality)]
    assert measurement.quality["n_visits"] == 1.0 and measurement.quality["coverage"] == 1.0
