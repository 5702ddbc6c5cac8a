"""The rerun's ladder without detectors: what each planet falls back to, and that a valid CSV is there at any
time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.inference import rerun_inputs, rerun_planets, submit
from spectramind_kit.inference.ladder import naive_rung
from spectramind_kit.inference.score import score_run
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.submission import read_submission, submission_columns, validate_submission

PLANETS = [11, 5, 300]


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data"
    for planet in PLANETS:
        (data / "test" / str(planet)).mkdir(parents=True)
        for sensor in ("FGS1", "AIRS-CH0"):
            (data / "test" / str(planet) / f"{sensor}_signal_0.parquet").touch()
    wavelengths = np.r_[0.7, np.linspace(1.95, 3.9, 282)]
    pd.DataFrame([wavelengths], columns=[f"wl_{k}" for k in range(1, 284)]).to_csv(
        data / "wavelengths.csv", index=False
    )
    return RunFolder.open(tmp_path / "run", stage="submit", data_dir=data, earlier=())


def write_sample(run, planets):
    frame = pd.DataFrame(0.5, index=range(len(planets)), columns=submission_columns())
    frame.assign(planet_id=[float(p) for p in planets]).to_csv(
        run.data_dir / "sample_submission.csv", index=False
    )


def transit(depth):
    time = np.linspace(0, 7.5, 187)
    flux = 1e7 * (1 - depth * np.clip((1.6 - np.abs(time - 3.7)) / 0.4 + 0.5, 0, 1))
    return SimpleNamespace(time=time, white_airs=flux, visit=0, planet_id=0)


@pytest.mark.parametrize(
    "sample, expected", [([300, 5, 11], [300, 5, 11]), ([300], [5, 11, 300]), (None, [5, 11, 300])]
)
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
    monkeypatch.setattr(
        rerun_planets,
        "extract_light_curves",
        lambda run, split, planet_ids, **_: {p: [transit(0.01)] for p in planet_ids if p != 5},
    )
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


def test_a_table_that_is_broken_for_all_leaves_the_fallback(run, monkeypatch):
    def broken(*_, **__):
        raise OSError("axis_info.parquet cannot be read")

    monkeypatch.setattr(rerun_planets, "extract_light_curves", broken)
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    validate_submission(read_submission(run.root / "submission.csv"), planets)
    failed = read_json(run.root / "run.json")["stages"]["submit"]["failed_light_curves_test"]
    assert len(failed) == 3 and "axis_info" in failed[0]["error"]


def test_no_time_left_keeps_the_fallback(run, monkeypatch):
    monkeypatch.setattr(
        rerun_planets, "extract_light_curves", lambda *_, **__: pytest.fail("there was no time for this")
    )
    run.budget.total_s = 0.0
    planets = submit.write_fallback(run)
    prediction = submit.predict_test(run, planets)
    submit.write_prediction(run, prediction)
    assert prediction.counts == {"naive": 3}


def test_score_beside_the_baselines(run, monkeypatch, tmp_path):
    monkeypatch.setattr(
        rerun_planets,
        "extract_light_curves",
        lambda run, split, planet_ids, **_: {p: [transit(0.01)] for p in planet_ids},
    )
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    truth = pd.DataFrame(np.full((3, 283), 0.0101), columns=submission_columns()[1:284])
    truth.insert(0, "planet_id", [300, 11, 5])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    run.record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
    scores = score_run(run.root, tmp_path / "truth.csv")
    assert scores["naive"] == pytest.approx(0.0, abs=1e-12) and 0.2 < scores["submission"] == pytest.approx(
        scores["flat depth"]
    )


# ---------------------------------------------------------------- whatever the data are, nothing raises


def rows(run):
    """03_submit's cells; the planets of the CSV."""
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    frame = read_submission(run.root / "submission.csv")
    validate_submission(frame, planets)
    return frame["planet_id"].tolist()


def findings(run):
    return " | ".join(read_json(run.root / "run.json")["stages"]["submit"].get("findings", []))


STAR = "planet_id,Rs,Ms,Ts,Mp,e,P,sma,i\n" + "".join(f"{p}.0,1,1,5800,1,0,4,10,89\n" for p in PLANETS)


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


def test_strays_in_the_test_folder_are_no_planets(run):
    for name in ("11_1", "inf", "nan", "1e5", "notes", "007", "11.0"):
        (run.data_dir / "test" / name).mkdir()
    assert rows(run) == sorted(PLANETS)
    assert all(name in findings(run) for name in ("11_1", "inf", "1e5", "007"))


@pytest.mark.parametrize("damage", ["empty", "a file", "no folder"])
def test_no_planet_in_the_test_folder(run, damage):
    """The star table names the planets then, the sample next; where nothing does, a header and a word."""
    import shutil

    shutil.rmtree(run.data_dir / "test")
    if damage == "empty":
        (run.data_dir / "test").mkdir()
    elif damage == "a file":
        (run.data_dir / "test").write_text("")
    assert rows(run) == [] and "no test planet is named anywhere" in findings(run)
    write_sample(run, [300, 5, 5])
    assert rows(run) == [300, 5]
    (run.data_dir / "test_star_info.csv").write_text(STAR)
    assert rows(run) == PLANETS and "test_star_info.csv" in findings(run)


@pytest.mark.parametrize(
    "content",
    ["{", "{}", '{"format": 1}', '{"format": 1, "weights": [], "config": {}, "naive": {}}', "[1]", "\0"],
)
def test_no_bundle_can_raise(run, content):
    (run.root / "bundle").mkdir()
    (run.root / "bundle" / "bundle.json").write_text(content)
    assert rows(run) == sorted(PLANETS)


def test_an_unforeseen_failure_leaves_the_naive_prediction(run, monkeypatch):
    """Guards against an exception in a part that nobody thought could raise."""

    def broken(*_, **__):
        raise KeyError("nobody thought of this")

    parts = ((submit, "flat_rung"), (rerun_inputs, "tables_of_test"), (rerun_inputs, "stars_of_test"))
    for module, part in parts:
        with monkeypatch.context() as patch:
            patch.setattr(module, part, broken)
            assert rows(run) == sorted(PLANETS)
        assert "nobody thought" in read_json(run.root / "run.json")["stages"]["submit"]["prediction_failed"]


def test_a_prediction_that_cannot_be_written_leaves_the_fallback(run):
    planets = submit.write_fallback(run)
    before = (run.root / "submission.csv").read_bytes()
    broken = naive_rung(planets, np.full(283, np.nan), Metric(np.nan))
    submit.write_prediction(run, broken)
    assert (run.root / "submission.csv").read_bytes() == before
    assert "write_failed" in read_json(run.root / "run.json")["stages"]["submit"]


def test_the_truth_is_read_like_every_table(run, monkeypatch, tmp_path):
    """Guards against a doubled row of the truth that scores planets against another's spectrum, and against
    per cent."""
    monkeypatch.setattr(
        rerun_planets,
        "extract_light_curves",
        lambda run, split, planet_ids, **_: {p: [transit(0.01)] for p in planet_ids},
    )
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    run.record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
    truth = pd.DataFrame(
        np.array([[0.0101], [0.0102], [0.0103]]) * np.ones((1, 283)), columns=submission_columns()[1:284]
    )
    truth.insert(0, "planet_id", [300.0, 11.0, 5.0])

    def score(table):
        table.to_csv(tmp_path / "truth.csv", index=False)
        return score_run(run.root, tmp_path / "truth.csv")["submission"]

    plain = score(truth)
    assert (
        score(pd.concat([truth.iloc[[1]], truth]))
        == score(truth[[*truth.columns[:0:-1], "planet_id"]])
        == plain
    )
    without = score(pd.concat([truth, truth.iloc[[0]] * [1, *[2.0] * 283]]))
    assert without != plain, "a planet with two truths is left out"
    with pytest.raises(DataError, match="per cent"):
        score(truth.assign(**{name: truth[name] * 100 for name in truth.columns[1:]}))
    with pytest.raises(DataError, match="no complete row"):
        score(truth.assign(wl_7="x"))
