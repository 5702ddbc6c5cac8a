"""Scores against a truth, and that they are of what was submitted."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.diagnostics.report import write_report
from spectramind_kit.errors import DataError
from spectramind_kit.inference import submit
from spectramind_kit.inference.score import main, score_run
from spectramind_kit.run_folder.provenance import report_is_of, submission_fingerprint
from spectramind_kit.run_folder.results import open_run
from spectramind_kit.submission import submission_columns


def test_score_beside_the_baselines(run, light_curves, tmp_path):
    """Guards against baselines that are scored on other planets or in another order."""
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    truth = pd.DataFrame(np.full((3, 283), 0.0101), columns=submission_columns()[1:284])
    truth.insert(0, "planet_id", [300, 11, 5])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    run.record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
    scores = score_run(run.root, tmp_path / "truth.csv")
    assert scores["naive"] == pytest.approx(0.0, abs=1e-12)
    assert 0.2 < scores["submission"] == pytest.approx(scores["flat depth"])


def test_the_truth_is_read_like_every_table(run, light_curves, tmp_path):
    """Guards against a doubled row of the truth that scores planets against another's spectrum, and against
    per cent."""
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


def test_scores_and_report_of_an_earlier_submission_are_told(small_run, tmp_path, capsys, monkeypatch):
    """Guards against yesterday's score beside today's submission."""
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    score_run(small_run.root, small_run.write_truth(tmp_path / "truth.csv"))
    report = write_report(open_run(small_run.root))
    assert report_is_of(report, submission_fingerprint(small_run.root))
    main([str(small_run.root)])
    assert "official score" in (said := capsys.readouterr().out) and "of an earlier submission" not in said
    small_run.change_submission()
    main([str(small_run.root)])
    said = capsys.readouterr().out
    assert "the scores in run.json are of an earlier submission.csv" in said and "official score" not in said
    assert re.search(r"report.html: .*of an earlier submission: run 04_diagnostics again", said)
