"""The bundle that 03_submit uses, and what it says about it."""

from __future__ import annotations

import dataclasses

from spectramind_kit.inference.bundle import load_bundle
from spectramind_kit.inference.rerun_bundle import bundle_doubts, find_bundle
from spectramind_kit.run_folder.json_file import read_json, write_json
from tests.inference.rerun_case import findings


def test_a_bundle_of_other_tables_or_of_a_training_that_did_not_end(small_run, capsys, monkeypatch):
    """Guards against a prior of other labels, used without a word."""
    small_run.labels.iloc[0] *= 1.1
    small_run.submit(monkeypatch)
    said = capsys.readouterr().out
    assert "the bundle is used, but it was trained with another train.csv: run 02_train again" in said
    small_run.open("train")  # started and killed
    doubts = bundle_doubts(
        load_bundle(small_run.root / "bundle"), root=small_run.root, data_dir=small_run.data_dir
    )
    assert doubts[1:] == ["02_train has been started since, and has not come to its end"]
    small_run.train()
    capsys.readouterr()
    small_run.submit(monkeypatch)
    assert "the bundle is used, but" not in capsys.readouterr().out


def test_of_two_bundles_the_one_that_is_used_is_named(small_run, tmp_path, capsys, monkeypatch):
    """Guards against the weights of a dataset that are taken for those of the training attached beside it."""
    other = dataclasses.replace(small_run, root=tmp_path / "other")
    other.labels.iloc[0] *= 1.1
    other.train()
    small_run.submit(monkeypatch, earlier=[other.root])
    said = capsys.readouterr().out
    assert f"the bundle of {small_run.root} is used, the other one in {other.root} is not" in said
    small_run.submit(monkeypatch, earlier=[small_run.root])
    assert "the other one" not in capsys.readouterr().out


def test_no_bundle_is_told(run):
    """Guards against flat depths for want of an attached output, without a word."""
    assert find_bundle(run) is None and "attach its output" in findings(run)


def test_a_bundle_without_a_metric_is_not_used(small_run):
    """Guards against NaN in every row of the fallback."""
    path = small_run.root / "bundle/bundle.json"
    content = read_json(path)
    write_json(path, {**content, "naive": {"naive_mean": None, "naive_sigma": 0.01}})
    run = small_run.open("submit")
    assert find_bundle(run) is None
    assert "bundle_failed" in read_json(run.root / "run.json")["stages"]["submit"]
