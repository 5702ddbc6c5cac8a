"""Reading a run's folder: whatever is absent is said, what is there is matched rightly."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import open_run
from tests.run_example import write_truth


def test_an_empty_folder_is_a_run_without_results(tmp_path):
    """Guards against diagnostics that fail where the run has failed before them."""
    run = open_run(tmp_path)
    assert run.oof is None and run.test is None and run.judged == {} and run.events == ()
    assert len(run.notes) == 4
    with pytest.raises(DataError, match="does not exist"):
        open_run(tmp_path / "absent")


def test_the_truth_is_matched_by_planet_id(run, tmp_path):
    """Guards against rows matched by position: a truth in another order, with planets missing and too
    many."""
    order = np.r_[5011, 9999, 5003]
    truth = write_truth(tmp_path / "t.csv", planet_id=order, depth=np.outer([1.0, 2.0, 3.0], np.ones(283)))
    test = open_run(run.root, truth=truth).test
    assert (test.depth[test.planet_id == 5011] == 1.0).all() and (
        test.depth[test.planet_id == 5003] == 3.0
    ).all()
    assert np.isnan(test.depth).all(axis=1).sum() == len(test) - 2
    assert len(open_run(run.root, truth=truth).judged["test, against truth"]) == 2


def test_a_wrong_truth_is_told(run, tmp_path):
    """Guards against scores on a file that is something else."""
    with pytest.raises(DataError, match="does not exist"):
        open_run(run.root, truth=tmp_path / "no.csv")
    (tmp_path / "t.csv").write_text("planet_id,wl_1\n5000,0.01\n")
    with pytest.raises(DataError, match="columns are missing"):
        open_run(run.root, truth=tmp_path / "t.csv")


def test_a_log_that_was_cut_short_is_read(run):
    """Guards against a run killed in the middle of a line."""
    assert len(run.of_kind("epoch")) == 27 and any("not JSON" in note for note in run.notes)


def test_damaged_predictions_are_told(run):
    """Guards against half a file taken for results."""
    path = run.root / "predictions/oof.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read"):
        open_run(run.root)


def test_planets_without_a_network_keep_the_anchor(run):
    """Guards against NaN that would remove the whole network from the ladder."""
    test = run.test
    test.network_depth_mean[2] = np.nan
    mean, sigma = test.stage("network")
    np.testing.assert_array_equal(mean[2], test.anchor_depth[2])
    assert np.isfinite(mean).all() and np.isfinite(sigma).all()


def test_earlier_kernels_folders_are_searched(run, tmp_path):
    """Guards against an empty report on Kaggle, where the stages before lie in other, mounted folders."""
    earlier, fresh = tmp_path / "earlier", tmp_path / "fresh"
    shutil.copytree(run.root, earlier)
    fresh.mkdir()
    found = open_run(fresh, earlier=[earlier])
    assert len(found.oof) == 60 and found.of_kind("epoch") and found.root == fresh


def test_epochs_of_another_training_are_left_out(run):
    """Guards against a learning curve that joins two trainings: the log keeps the epochs of both."""
    import json

    path = run.root / "metrics.jsonl"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("{cut")]
    epoch = {"event": "epoch", "fold": 0, "epoch": 0, "held_out_score": 0.1}
    lines += [json.dumps({**epoch, "training": name}) for name in ("old", "new")]
    path.write_text("\n".join(lines))
    (run.root / "bundle").mkdir()
    (run.root / "bundle/bundle.json").write_text(json.dumps({"digest": "new"}))
    found = {event.get("training") for event in open_run(run.root).of_kind("epoch")}
    assert found == {None, "new"}, "those of a log without names stay"


def test_figures_are_drawn_again_for_another_truth_at_the_same_path(small_run, tmp_path):
    """Guards against a figure that was drawn against a truth that has been corrected since."""
    path = small_run.write_truth(tmp_path / "truth.csv")
    before = open_run(small_run.root, truth=path).fingerprint
    assert open_run(small_run.root, truth=path).fingerprint == before
    assert open_run(small_run.root, truth=small_run.write_truth(path, factor=1.1)).fingerprint != before
