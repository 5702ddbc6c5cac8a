"""Light curves of a run: made once, found where an earlier kernel made them, and doubted aloud."""

from __future__ import annotations

import dataclasses

import pytest

from spectramind_kit.detector.building import BuildReport
from spectramind_kit.detector.store import LightCurveStore
from spectramind_kit.errors import PlanetFailure
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.training import stage_one
from spectramind_kit.training.stage_one import extract_light_curves


@pytest.fixture
def builder(small_run, monkeypatch):
    """Stage 1 without frames: what would be built is taken from the small run, but for planet 2."""
    built = []

    def build_visits(visits, root, *, settings, **_):
        store = LightCurveStore(root, settings)
        built.extend(files.planet_id for files in visits)
        done = [(files.planet_id, files.visit) for files in visits if files.planet_id != 2]
        for planet, visit in done:
            small_run.light_curves["train"][planet][visit].save(store.path(planet, visit))
        failed = [PlanetFailure(2, "cut file", visit=0)] if 2 in built else []
        return BuildReport(store, done, [], failed)

    monkeypatch.setattr(stage_one, "build_visits", build_visits)
    monkeypatch.setattr(stage_one, "read_shared_tables", lambda *_, **__: None)
    monkeypatch.setattr(LightCurveStore, "load", _load)
    return built


def _load(store, planet_id, visit):
    from spectramind_kit.detector.light_curve import LightCurve

    return LightCurve.load(store.path(planet_id, visit))


def test_a_visit_that_cannot_be_read_costs_itself(small_run, builder):
    """Guards against one cut file that ends stage 1, or that nobody is told of."""
    run = small_run.open("light_curves")
    curves = extract_light_curves(run, "train", planet_ids=[1, 2, 3])
    assert list(curves) == [1, 3] and builder == [1, 2, 3]
    failed = read_json(run.root / "run.json")["stages"]["light_curves"]["failed_light_curves_train"]
    assert failed == [{"planet_id": 2, "visit": 0, "error": "cut file"}]


def test_light_curves_of_an_earlier_kernel_are_not_made_again(
    small_run, builder, tmp_path, monkeypatch, capsys
):
    """Guards against hours of frames read twice, and against a stale light curve that is used silently."""
    first = small_run.open("light_curves", work_dir=tmp_path / "earlier")
    extract_light_curves(first, "train", planet_ids=[1, 3, 4])
    builder.clear()

    def check(store, visits, tables=None):
        states = {1: (True, ""), 3: (False, "of other frames")}
        return {files: states.get(files.planet_id, (False, "")) for files in visits}

    monkeypatch.setattr(LightCurveStore, "check", check)
    run = small_run.open("light_curves", work_dir=tmp_path / "fresh", earlier=[first.root])
    capsys.readouterr()
    assert list(extract_light_curves(run, "train", planet_ids=[1, 3, 4])) == [1, 3, 4]
    assert builder == [3, 4]
    said = capsys.readouterr().out
    assert "planet 3 visit 0 (train): the light curve of an earlier kernel is of other frames" in said
    assert "planet 1 visit" not in said


def test_flags_of_visits_that_are_used_are_named(small_run, builder):
    """Guards against a visit that lost half its frames and is used without a word."""
    curve = small_run.light_curves["train"][1][0]
    flag = "FGS1 missing: the file cannot be decoded"
    small_run.light_curves["train"][1] = [dataclasses.replace(curve, flags=(flag,))]
    run = small_run.open("light_curves")
    extract_light_curves(run, "train", planet_ids=[1])
    stage = read_json(run.root / "run.json")["stages"]["light_curves"]
    assert stage["flagged_light_curves_train"] == [{"planet_id": 1, "visit": 0, "flags": [flag]}]
