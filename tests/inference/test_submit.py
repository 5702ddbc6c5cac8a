"""The rerun's ladder without detectors: what each planet falls back to, and that a valid CSV is there at any time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.inference import submit
from spectramind_kit.inference.score import score_run
from spectramind_kit.submission import read_submission, submission_columns, validate_submission
from spectramind_kit.training.run_folder import RunFolder, read_json

PLANETS = [11, 5, 300]


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data"
    for planet in PLANETS:
        (data / "test" / str(planet)).mkdir(parents=True)
        for sensor in ("FGS1", "AIRS-CH0"):
            (data / "test" / str(planet) / f"{sensor}_signal_0.parquet").touch()
    wavelengths = np.r_[0.7, np.linspace(1.95, 3.9, 282)]
    pd.DataFrame([wavelengths], columns=[f"wl_{k}" for k in range(1, 284)]).to_csv(data / "wavelengths.csv", index=False)
    return RunFolder.open(tmp_path / "run", stage="submit", data_dir=data, earlier=())


def write_sample(run, planets):
    frame = pd.DataFrame(0.5, index=range(len(planets)), columns=submission_columns())
    frame.assign(planet_id=[float(p) for p in planets]).to_csv(run.data_dir / "sample_submission.csv", index=False)


def transit(depth):
    time = np.linspace(0, 7.5, 187)
    flux = 1e7 * (1 - depth * np.clip((1.6 - np.abs(time - 3.7)) / 0.4 + 0.5, 0, 1))
    return SimpleNamespace(time=time, white_airs=flux, visit=0, planet_id=0)


@pytest.mark.parametrize("sample, expected", [([300, 5, 11], [300, 5, 11]), ([300], [5, 11, 300]), (None, [5, 11, 300])])
def test_rows_come_from_the_test_folder(run, sample, expected):
    """Guards against a stale sample_submission.csv: at the rerun it may list the one visible planet."""
    if sample:
        write_sample(run, sample)
    assert submit.planets_of_test(run.data_dir) == expected


def test_fallback_is_there_before_anything_heavy(run):
    planets = submit.write_fallback(run)
    frame = read_submission(run.root / "submission.csv")
    validate_submission(frame, planets)


def test_each_planet_takes_the_best_it_got(run, monkeypatch):
    """Guards against one broken planet costing the others, or a valid CSV."""
    monkeypatch.setattr(submit, "extract_light_curves", lambda run, split, planet_ids, **_: {
        p: [transit(0.01)] for p in planet_ids if p != 5})
    planets = submit.write_fallback(run)
    prediction = submit.predict_test(run, planets)
    submit.write_prediction(run, prediction)
    assert dict(zip(prediction.planet_ids, prediction.source)) == {5: "naive", 11: "flat depth", 300: "flat depth"}
    assert prediction.depth_mean[prediction.planet_ids.index(11)] == pytest.approx(0.01, rel=0.03)
    validate_submission(read_submission(run.root / "submission.csv"), planets)
    assert read_json(run.root / "run.json")["stages"]["submit"]["sources"] == {"naive": 1, "flat depth": 2}


def test_a_table_that_is_broken_for_all_leaves_the_fallback(run, monkeypatch):
    def broken(*_, **__):
        raise OSError("axis_info.parquet cannot be read")
    monkeypatch.setattr(submit, "extract_light_curves", broken)
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    validate_submission(read_submission(run.root / "submission.csv"), planets)
    failed = read_json(run.root / "run.json")["stages"]["submit"]["failed_light_curves_test"]
    assert len(failed) == 3 and "axis_info" in failed[0]["error"]


def test_no_time_left_keeps_the_fallback(run, monkeypatch):
    monkeypatch.setattr(submit, "extract_light_curves", lambda *_, **__: pytest.fail("there was no time for this"))
    run.budget.total_s = 0.0
    planets = submit.write_fallback(run)
    prediction = submit.predict_test(run, planets)
    submit.write_prediction(run, prediction)
    assert prediction.counts == {"naive": 3}


def test_score_beside_the_baselines(run, monkeypatch, tmp_path):
    monkeypatch.setattr(submit, "extract_light_curves", lambda run, split, planet_ids, **_: {p: [transit(0.01)] for p in planet_ids})
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    truth = pd.DataFrame(np.full((3, 283), 0.0101), columns=submission_columns()[1:284])
    truth.insert(0, "planet_id", [300, 11, 5])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    run.record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
    scores = score_run(run.root, tmp_path / "truth.csv")
    assert scores["naive"] == pytest.approx(0.0, abs=1e-12) and 0.2 < scores["submission"] == pytest.approx(scores["flat depth"])
