"""A run's folder that is used again for another data set."""

from __future__ import annotations

import pytest

from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json


@pytest.fixture
def make_data(tmp_path):
    def make(name, planets):
        folder = tmp_path / name
        for planet in planets:
            (folder / "train" / str(planet)).mkdir(parents=True, exist_ok=True)
        (folder / "test").mkdir(exist_ok=True)
        (folder / "wavelengths.csv").write_text("wl_1\n0.7\n")
        return folder

    return make


def fill(root):
    for name in (
        "submission.csv",
        "report.html",
        "metrics.jsonl",
        "04_diagnostics.ipynb",
        "01_light_curves.ipynb",
    ):
        (root / name).write_text("old")
    for name in ("store/abc", "bundle", "predictions", "diagnostics"):
        (root / name).mkdir(parents=True)


def open_run(tmp_path, data, stage):
    return RunFolder.open(tmp_path / "run", stage=stage, data_dir=data, earlier=())


def test_nothing_of_other_planets_is_left_to_be_mistaken(make_data, tmp_path, capsys):
    """Guards against scores, figures, naive statistics and a submission of another data set in the folder of
    this one."""
    run = open_run(tmp_path, make_data("first", [1, 2, 3]), "light_curves")
    run.record(naive={"naive_mean": 0.5}, test_scores={"submission": 0.9})
    fill(run.root)
    other = make_data("second", [7, 8])
    again = open_run(tmp_path, other, "light_curves")
    content = read_json(run.root / "run.json")
    assert "naive" not in content and "test_scores" not in content and content["train_planets"] == ["7", "8"]
    left = {path.name for path in run.root.iterdir()}
    assert left == {"run.json", "figures", "earlier_data_1", "01_light_curves.ipynb"}, (
        "papermill is writing the last one"
    )
    moved = {path.name for path in (run.root / "earlier_data_1").iterdir()}
    assert {
        "submission.csv",
        "report.html",
        "metrics.jsonl",
        "store",
        "bundle",
        "04_diagnostics.ipynb",
        "run.json",
    } <= moved
    assert "a run on other planets" in capsys.readouterr().out and again.figures.is_dir()


def test_corrected_or_added_planets_are_the_same_data(make_data, tmp_path, capsys):
    """Guards against hours of light curves moved aside because a planet was added."""
    run = open_run(tmp_path, make_data("first", [1, 2, 3]), "train")
    fill(run.root)
    open_run(tmp_path, make_data("first", [3, 4]), "train")
    open_run(tmp_path, make_data("copy", [2, 3, 4]), "light_curves")
    assert (run.root / "submission.csv").is_file() and "other planets" not in capsys.readouterr().out


def test_03_may_predict_another_data_set_and_says_so(make_data, tmp_path, capsys):
    """Guards against a bundle that is gone when 03_submit is pointed at other planets, and against one used
    without a word."""
    run = open_run(tmp_path, make_data("first", [1, 2, 3]), "train")
    fill(run.root)
    open_run(tmp_path, make_data("second", [7, 8]), "submit")
    assert (run.root / "bundle").is_dir() and "ran on other planets" in capsys.readouterr().out
    content = read_json(run.root / "run.json")
    assert content["stages"]["submit"]["other_data"] is True and content["train_planets"] == ["1", "2", "3"]
