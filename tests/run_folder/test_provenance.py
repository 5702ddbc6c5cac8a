"""What belongs together in a run's folder, and that it is said where it does not."""

from __future__ import annotations

import pandas as pd

from spectramind_kit.diagnostics.report import write_report
from spectramind_kit.inference.score import main, score_run
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.run_folder.provenance import submission_differs
from spectramind_kit.run_folder.results import open_run
from tests.stale_run import TEST


def test_a_finished_run_belongs_together(small_run, tmp_path, capsys):
    """Guards against a warning that always shows, which nobody reads."""
    scores = score_run(small_run.root, small_run.write_truth(tmp_path / "truth.csv"))
    assert {"naive", "flat depth", "anchor", "submission"} == set(scores)
    run = open_run(small_run.root, truth=tmp_path / "truth.csv")
    assert run.stale == () and len(run.oof) == 8 and len(run.test) == 2
    assert not read_json(small_run.root / "run.json")["stages"]["submit"]["bundle_doubts"]
    main([str(small_run.root)])
    assert "earlier submission" not in capsys.readouterr().out


def test_a_submission_of_other_predictions_is_noticed(small_run, tmp_path, capsys):
    """Guards against scores of stages that have nothing to do with what is submitted."""
    small_run.change_submission()
    why = submission_differs(small_run.root / "submission.csv", small_run.root / "predictions/test.npz")
    assert why == f"other numbers for 1 of 2 planets, the first {TEST[1]}"
    scores = score_run(small_run.root, small_run.write_truth(tmp_path / "truth.csv"))
    assert (
        set(scores) == {"naive", "submission"}
        and "is not what submission.csv holds" in capsys.readouterr().out
    )
    assert any(
        "submission.csv is not what predictions/test.npz holds" in text
        for text in open_run(small_run.root).stale
    )
    frame = pd.read_csv(small_run.root / "submission.csv")
    frame.assign(planet_id=[1, 2]).to_csv(small_run.root / "submission.csv", index=False)
    assert "other planets" in submission_differs(
        small_run.root / "submission.csv", small_run.root / "predictions/test.npz"
    )
    (small_run.root / "predictions/test.npz").write_bytes(b"PK")
    assert "cannot be read" in submission_differs(
        small_run.root / "submission.csv", small_run.root / "predictions/test.npz"
    )


def test_the_report_says_what_does_not_belong_together(small_run, monkeypatch):
    """Guards against a report that shows one prediction and names another."""
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    assert "03_submit again" not in write_report(small_run.root).read_text(encoding="utf-8")
    small_run.labels.iloc[3] *= 1.02
    small_run.train()  # a new bundle, the old predictions
    page = write_report(small_run.root).read_text(encoding="utf-8")
    assert "test.npz was not made with the present bundle: run 03_submit again" in page
    small_run.submit(monkeypatch)
    assert "03_submit again" not in write_report(small_run.root).read_text(encoding="utf-8")
