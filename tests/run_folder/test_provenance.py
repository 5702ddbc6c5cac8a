"""What belongs together in a run's folder, and that it is said where it does not."""

from __future__ import annotations

import dataclasses
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.diagnostics.report import write_report
from spectramind_kit.errors import DataError
from spectramind_kit.inference.bundle import load_bundle
from spectramind_kit.inference.rerun_bundle import bundle_doubts
from spectramind_kit.inference.score import main, score_run
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.run_folder.provenance import report_is_of, submission_differs, submission_fingerprint
from spectramind_kit.run_folder.results import open_run
from spectramind_kit.submission import submission_columns
from tests.stale_run import TEST, make_small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """02 and 03 of a small run."""
    run = make_small_run(tmp_path_factory.mktemp("small"))
    with pytest.MonkeyPatch.context() as patch:
        run.train()
        run.submit(patch)
    return run


@pytest.fixture
def small(finished, tmp_path):
    shutil.copytree(finished.root.parent, tmp_path / "copy")
    return dataclasses.replace(
        finished,
        root=tmp_path / "copy/run",
        data_dir=tmp_path / "copy/data",
        labels=finished.labels.copy(),
        stars={k: v.copy() for k, v in finished.stars.items()},
        light_curves={k: dict(v) for k, v in finished.light_curves.items()},
    )


def truth(small, path, *, factor=1.0):
    frame = pd.DataFrame(np.full((2, 283), 0.0123 * factor), columns=submission_columns()[1:284])
    frame.insert(0, "planet_id", TEST)
    frame.to_csv(path, index=False)
    return path


def other_submission(small):
    path = small.root / "submission.csv"
    frame = pd.read_csv(path)
    frame.loc[1, "wl_7"] *= 1.001
    frame.to_csv(path, index=False)


def test_a_finished_run_belongs_together(small, tmp_path, capsys):
    """Guards against a warning that always shows, which nobody reads."""
    scores = score_run(small.root, truth(small, tmp_path / "truth.csv"))
    assert {"naive", "flat depth", "anchor", "submission"} == set(scores)
    run = open_run(small.root, truth=tmp_path / "truth.csv")
    assert run.stale == () and len(run.oof) == 8 and len(run.test) == 2
    assert not read_json(small.root / "run.json")["stages"]["submit"]["bundle_doubts"]
    main([str(small.root)])
    assert "earlier submission" not in capsys.readouterr().out


def test_a_submission_of_other_predictions_is_noticed(small, tmp_path, capsys):
    """Guards against scores of stages that have nothing to do with what is submitted."""
    other_submission(small)
    why = submission_differs(small.root / "submission.csv", small.root / "predictions/test.npz")
    assert why == f"other numbers for 1 of 2 planets, the first {TEST[1]}"
    scores = score_run(small.root, truth(small, tmp_path / "truth.csv"))
    assert (
        set(scores) == {"naive", "submission"}
        and "is not what submission.csv holds" in capsys.readouterr().out
    )
    assert any(
        "submission.csv is not what predictions/test.npz holds" in text for text in open_run(small.root).stale
    )
    frame = pd.read_csv(small.root / "submission.csv")
    frame.assign(planet_id=[1, 2]).to_csv(small.root / "submission.csv", index=False)
    assert "other planets" in submission_differs(
        small.root / "submission.csv", small.root / "predictions/test.npz"
    )
    (small.root / "predictions/test.npz").write_bytes(b"PK")
    assert "cannot be read" in submission_differs(
        small.root / "submission.csv", small.root / "predictions/test.npz"
    )


def test_scores_and_report_of_an_earlier_submission_are_told(small, tmp_path, capsys, monkeypatch):
    """Guards against yesterday's score beside today's submission."""
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    score_run(small.root, truth(small, tmp_path / "truth.csv"))
    report = write_report(open_run(small.root))
    assert report_is_of(report, submission_fingerprint(small.root))
    main([str(small.root)])
    assert "official score" in (said := capsys.readouterr().out) and "of an earlier submission" not in said
    other_submission(small)
    main([str(small.root)])
    said = capsys.readouterr().out
    assert "the scores in run.json are of an earlier submission.csv" in said and "official score" not in said
    assert re.search(r"report.html: .*of an earlier submission: run 04_diagnostics again", said)


def test_the_report_says_what_does_not_belong_together(small, monkeypatch):
    """Guards against a report that shows one prediction and names another."""
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    assert "03_submit again" not in write_report(small.root).read_text(encoding="utf-8")
    small.labels.iloc[3] *= 1.02
    small.train()  # a new bundle, the old predictions
    page = write_report(small.root).read_text(encoding="utf-8")
    assert "test.npz was not made with the present bundle: run 03_submit again" in page
    small.submit(monkeypatch)
    assert "03_submit again" not in write_report(small.root).read_text(encoding="utf-8")


def test_figures_are_drawn_again_for_another_truth_at_the_same_path(small, tmp_path):
    """Guards against a figure that was drawn against a truth that has been corrected since."""
    path = truth(small, tmp_path / "truth.csv")
    before = open_run(small.root, truth=path).fingerprint
    assert open_run(small.root, truth=path).fingerprint == before
    assert open_run(small.root, truth=truth(small, path, factor=1.1)).fingerprint != before


def test_the_fallback_leaves_nothing_of_an_earlier_submission(small, monkeypatch, tmp_path):
    """Guards against a run that dies after its fallback, beside scores and predictions of the one before."""
    from spectramind_kit.inference.submit import write_fallback

    score_run(small.root, truth(small, tmp_path / "truth.csv"))
    write_fallback(small.open("submit"))
    assert (
        not (small.root / "predictions/test.npz").exists()
        and read_json(small.root / "run.json")["test_scores"] == {}
    )


def test_a_changed_test_planet_changes_its_prediction_alone(small, monkeypatch, capsys):
    """Guards against a corrected planet that keeps its number in the submission."""
    before = pd.read_csv(small.root / "submission.csv").set_index("planet_id")
    curve = small.light_curves["test"][TEST[0]][0]
    dip = (curve.flux / np.median(curve.flux, axis=0) - 1.0) * 0.2  # the transit 20 % deeper
    small.light_curves["test"][TEST[0]] = [
        dataclasses.replace(curve, flux=(curve.flux * (1 + dip)).astype(np.float32))
    ]
    small.submit(monkeypatch)
    after = pd.read_csv(small.root / "submission.csv").set_index("planet_id")
    ratio = (after.filter(like="wl_") / before.filter(like="wl_")).mean(axis=1)
    assert ratio[TEST[0]] == pytest.approx(1.2, abs=0.03) and ratio[TEST[1]] == 1.0
    assert (
        f"planet {TEST[0]}: its light curve of visit 0 has changed; measured again" in capsys.readouterr().out
    )


def test_a_bundle_of_other_tables_or_of_a_training_that_did_not_end(small, capsys, monkeypatch):
    """Guards against a prior of other labels, used without a word."""
    small.labels.iloc[0] *= 1.1
    small.submit(monkeypatch)
    said = capsys.readouterr().out
    assert "the bundle is used, but it was trained with another train.csv: run 02_train again" in said
    small.open("train")  # started and killed
    doubts = bundle_doubts(load_bundle(small.root / "bundle"), root=small.root, data_dir=small.data_dir)
    assert doubts[1:] == ["02_train has been started since, and has not come to its end"]
    small.train()
    capsys.readouterr()
    small.submit(monkeypatch)
    assert "the bundle is used, but" not in capsys.readouterr().out


def damage(bundle, what):
    content = read_json(bundle / "bundle.json")
    if what == "an earlier version":
        write_json(bundle / "bundle.json", {**content, "format": 1})
    elif what == "another recipe":
        write_json(
            bundle / "bundle.json",
            {**content, "recipes": {**content["recipes"], "measurements": "1"}, "kit": "0.0.9"},
        )
    else:
        (bundle / "calibration.json").write_text((bundle / "calibration.json").read_text() + " ")


@pytest.mark.parametrize(
    "what, said",
    [
        ("an earlier version", "no bundle of this version"),
        ("another file", "of another training"),
        ("another recipe", "was learned from measurements that this kit makes in another way now"),
    ],
)
def test_a_bundle_that_does_not_fit_costs_the_anchor_with_a_word(small, monkeypatch, capsys, what, said):
    """Guards against a prior and a calibration that fit other numbers than this kit makes."""
    damage(small.root / "bundle", what)
    with pytest.raises(DataError, match=said):
        load_bundle(small.root / "bundle")
    prediction = small.submit(monkeypatch)
    assert prediction.counts == {"flat depth": 2}
    assert (
        said in capsys.readouterr().out
        and said in read_json(small.root / "run.json")["stages"]["submit"]["bundle_failed"]
    )


def test_of_two_bundles_the_one_that_is_used_is_named(small, tmp_path, capsys, monkeypatch):
    """Guards against the weights of a dataset that are taken for those of the training attached beside it."""
    other = dataclasses.replace(small, root=tmp_path / "other")
    other.labels.iloc[0] *= 1.1
    other.train()
    small.submit(monkeypatch, earlier=[other.root])
    said = capsys.readouterr().out
    assert f"the bundle of {small.root} is used, the other one in {other.root} is not" in said
    small.submit(monkeypatch, earlier=[small.root])
    assert "the other one" not in capsys.readouterr().out
