"""What the test planets give in the time that is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spectramind_kit.inference import rerun_planets, submit
from spectramind_kit.inference.rerun_inputs import RerunInputs
from spectramind_kit.inference.rerun_planets import RerunPlanets, flags_of, gather_planets
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.submission import read_submission, validate_submission
from tests.inference.rerun_case import PLANETS


def test_a_table_that_is_broken_for_all_leaves_the_fallback(run, monkeypatch):
    """Guards against an exception where every planet fails for the same reason."""

    def broken(*_, **__):
        raise OSError("axis_info.parquet cannot be read")

    monkeypatch.setattr(rerun_planets, "extract_light_curves", broken)
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    validate_submission(read_submission(run.root / "submission.csv"), planets)
    failed = read_json(run.root / "run.json")["stages"]["submit"]["failed_light_curves_test"]
    assert len(failed) == 3 and "axis_info" in failed[0]["error"]


def test_no_time_left_keeps_the_fallback(run, monkeypatch):
    """Guards against the nine-hour limit found out at hour nine."""
    monkeypatch.setattr(
        rerun_planets, "extract_light_curves", lambda *_, **__: pytest.fail("there was no time for this")
    )
    run.budget.total_s = 0.0
    planets = submit.write_fallback(run)
    prediction = submit.predict_test(run, planets)
    submit.write_prediction(run, prediction)
    assert prediction.counts == {"naive": 3}


@pytest.mark.parametrize("seconds, measured", [(1e6, 3), (100.0, 0)])
def test_measurements_go_before_light_curves(run, light_curves, monkeypatch, seconds, measured):
    """Guards against planets without even a flat depth, for the anchors of others."""
    monkeypatch.setattr(rerun_planets, "measure_planets", lambda run, curves, **_: dict.fromkeys(curves, "m"))
    run.budget.charge("anchor", units=1, seconds=60.0)
    run.budget.total_s, run.budget.reserve_s = seconds, 0.0
    inputs = RerunInputs(SimpleNamespace(), None, None, None)
    found = gather_planets(run, PLANETS, inputs)
    assert sorted(found.flat) == sorted(PLANETS) and len(found.measurements) == measured
    assert set(found.measurements) <= set(found.light_curves), "a direct network needs no measurement"


def test_workers_that_cannot_start_cost_the_anchors_alone(run, light_curves, monkeypatch):
    """Guards against flat depths that are lost with the measurements."""

    def broken(*_, **__):
        raise OSError("no process can be started")

    monkeypatch.setattr(rerun_planets, "measure_planets", broken)
    found = gather_planets(run, PLANETS, RerunInputs(SimpleNamespace(), None, None, None))
    assert sorted(found.flat) == sorted(PLANETS) and not found.measurements
    failed = read_json(run.root / "run.json")["stages"]["submit"]["failed_anchor_test"]
    assert len(failed) == 3 and "no process" in failed[0]["error"]


def test_each_planet_has_the_flags_of_its_own():
    """Guards against one planet's doubt beside another's spectrum, and a planet without anything that looks
    as good as the others."""
    dim, fine, measured = (SimpleNamespace(flags=flags) for flags in (("FGS1 missing",), (), ("grazing",)))
    found = RerunPlanets({7: [dim, fine], 9: [fine], 8: [fine]}, measurements={8: measured})
    flags = flags_of([9, 8, 7, 6], found).tolist()
    assert flags[:3] == ["", "grazing", "FGS1 missing"] and "run.json" in flags[3]
