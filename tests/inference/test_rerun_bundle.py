"""The bundle that 03_submit uses, and what it says about it."""

from __future__ import annotations

import shutil

import pytest

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


@pytest.fixture
def two_bundles(small_run, tmp_path):
    """Attached to a submission that has none of its own: a dataset's, and the output of a later training."""
    dataset, train = tmp_path / "datasets", tmp_path / "notebooks"
    for folder, saved in ((dataset, "2026-10-01T12:00:00+00:00"), (train, "2026-10-02T12:00:00+00:00")):
        shutil.copytree(small_run.root / "bundle", folder / "bundle")
        change(folder, saved=saved)
    change(dataset, fingerprint="of the dataset")
    shutil.rmtree(small_run.root / "bundle")
    return dataset, train


def change(folder, **fields):
    path = folder / "bundle/bundle.json"
    write_json(path, read_json(path) | fields)


def submitted(run):
    return read_json(run.root / "run.json")["stages"]["submit"]


def test_the_newest_bundle_is_used_and_all_are_named(small_run, two_bundles, capsys, monkeypatch):
    """Guards against the weights of a dataset that silently beat those of the training attached beside it."""
    dataset, train = two_bundles
    small_run.submit(monkeypatch, earlier=two_bundles)
    said, record = capsys.readouterr().out, submitted(small_run)
    assert f"bundle: {train / 'bundle'} (saved 2026-10-02 12:00:00 UTC; fingerprint " in said
    assert f"bundle passed over: {dataset / 'bundle'} (saved 2026-10-01 12:00:00 UTC" in said
    assert record["bundle"] == read_json(train / "bundle/bundle.json")["fingerprint"]
    assert record["bundle_from"].startswith(f"{train / 'bundle'} (saved 2026-10-02")
    (passed_over,) = record["bundles_passed_over"]
    assert passed_over.endswith("fingerprint of the datas)") and not record["bundle_doubts"]
    change(train, saved=None)
    small_run.submit(monkeypatch, earlier=two_bundles)
    assert f"bundle passed over: {train / 'bundle'} (no date" in capsys.readouterr().out


def test_a_copy_is_no_other_bundle(small_run, capsys, monkeypatch):
    """Guards against a warning about the very bundle that is used, attached twice."""
    small_run.submit(monkeypatch, earlier=[small_run.root])
    assert "passed over" not in capsys.readouterr().out


def test_the_next_newest_is_used_where_the_newest_is_damaged(small_run, two_bundles, capsys, monkeypatch):
    """Guards against flat depths where a whole bundle is attached."""
    dataset, train = two_bundles
    (train / "bundle/prior.npz").write_bytes(b"")
    prediction = small_run.submit(monkeypatch, earlier=two_bundles)
    assert set(prediction.counts) == {"anchor"}
    said, record = capsys.readouterr().out, submitted(small_run)
    assert "cannot be used, the next one is tried" in said and f"bundle: {dataset / 'bundle'}" in said
    assert "prior.npz" in record["bundle_failed"] and record["bundle"] == "of the dataset"


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
