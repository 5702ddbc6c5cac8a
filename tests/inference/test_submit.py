"""The rerun without frames: what each planet falls back to, and that a valid CSV is there at any time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.inference import rerun_inputs, submit
from spectramind_kit.inference.ladder import naive_rung
from spectramind_kit.inference.score import score_run
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.submission import read_submission, validate_submission
from tests.inference.rerun_case import PLANETS, STAR, rows
from tests.stale_run import TEST


def test_fallback_is_there_before_anything_heavy(run):
    """Guards against a kernel that dies without any submission."""
    planets = submit.write_fallback(run)
    frame = read_submission(run.root / "submission.csv")
    validate_submission(frame, planets)


def test_each_planet_takes_the_best_it_got(run, light_curves):
    """Guards against one broken planet costing the others, or a valid CSV."""
    del light_curves[5]
    planets = submit.write_fallback(run)
    prediction = submit.predict_test(run, planets)
    submit.write_prediction(run, prediction)
    assert dict(zip(prediction.planet_id.tolist(), prediction.source.tolist())) == {
        5: "naive",
        11: "flat depth",
        300: "flat depth",
    }
    assert prediction.depth_mean[prediction.planet_id.tolist().index(11)] == pytest.approx(0.01, rel=0.03)
    validate_submission(read_submission(run.root / "submission.csv"), planets)
    assert read_json(run.root / "run.json")["stages"]["submit"]["sources"] == {"naive": 1, "flat depth": 2}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        STAR.encode() + b",,,,,,,,\n",
        STAR.encode().replace(b"5800", b"58\xff0"),
        STAR.encode() + STAR.encode().splitlines()[1] + b"\n",
        STAR.replace("10,89", "--,89").encode(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"planet_id\n",
        STAR.replace("11.0", "").encode(),
        b'"' * 1000,
        b"\xff\xfe\0",
    ],
)
@pytest.mark.parametrize(
    "name",
    ["test_star_info.csv", "wavelengths.csv", "adc_info.csv", "axis_info.parquet", "sample_submission.csv"],
)
def test_no_table_can_raise(run, name, content):
    """Guards against a failed submission: each of these came out of 03_submit as an exception or cost every
    planet."""
    (run.data_dir / name).write_bytes(content)
    assert sorted(rows(run)) == sorted(PLANETS)


@pytest.mark.parametrize(
    "content",
    ["{", "{}", '{"format": 1}', '{"format": 1, "weights": [], "config": {}, "naive": {}}', "[1]", "\0"],
)
def test_no_bundle_can_raise(run, content):
    """Guards against a bundle that was cut, edited or is of another kit, which must cost the anchor alone."""
    (run.root / "bundle").mkdir()
    (run.root / "bundle" / "bundle.json").write_text(content)
    assert rows(run) == sorted(PLANETS)


def test_an_unforeseen_failure_leaves_the_naive_prediction(run, monkeypatch):
    """Guards against an exception in a part that nobody thought could raise."""

    def broken(*_, **__):
        raise KeyError("nobody thought of this")

    parts = ((submit, "low_rungs"), (rerun_inputs, "tables_of_test"), (rerun_inputs, "stars_of_test"))
    for module, part in parts:
        with monkeypatch.context() as patch:
            patch.setattr(module, part, broken)
            assert rows(run) == sorted(PLANETS)
        assert "nobody thought" in read_json(run.root / "run.json")["stages"]["submit"]["prediction_failed"]


def test_a_prediction_that_cannot_be_written_leaves_the_fallback(run):
    """Guards against a valid CSV that is replaced by one that the host refuses."""
    planets = submit.write_fallback(run)
    before = (run.root / "submission.csv").read_bytes()
    broken = naive_rung(planets, np.full(283, np.nan), Metric(np.nan))
    submit.write_prediction(run, broken)
    assert (run.root / "submission.csv").read_bytes() == before
    assert "write_failed" in read_json(run.root / "run.json")["stages"]["submit"]


def test_the_fallback_leaves_nothing_of_an_earlier_submission(small_run, monkeypatch, tmp_path):
    """Guards against a run that dies after its fallback, beside scores and predictions of the one before."""
    score_run(small_run.root, small_run.write_truth(tmp_path / "truth.csv"))
    submit.write_fallback(small_run.open("submit"))
    assert (
        not (small_run.root / "predictions/test.npz").exists()
        and read_json(small_run.root / "run.json")["test_scores"] == {}
    )


def test_a_changed_test_planet_changes_its_prediction_alone(small_run, monkeypatch, capsys):
    """Guards against a corrected planet that keeps its number in the submission."""
    before = pd.read_csv(small_run.root / "submission.csv").set_index("planet_id")
    curve = small_run.light_curves["test"][TEST[0]][0]
    dip = (curve.flux / np.median(curve.flux, axis=0) - 1.0) * 0.2  # the transit 20 % deeper
    small_run.light_curves["test"][TEST[0]] = [
        dataclasses.replace(curve, flux=(curve.flux * (1 + dip)).astype(np.float32))
    ]
    prediction = small_run.submit(monkeypatch)
    assert len(prediction.flags) == len(TEST) and not any(
        "no light curve" in text for text in prediction.flags
    )
    after = pd.read_csv(small_run.root / "submission.csv").set_index("planet_id")
    ratio = (after.filter(like="wl_") / before.filter(like="wl_")).mean(axis=1)
    assert ratio[TEST[0]] == pytest.approx(1.2, abs=0.03) and ratio[TEST[1]] == 1.0
    assert (
        f"planet {TEST[0]}: its light curve of visit 0 has changed; measured again" in capsys.readouterr().out
    )
