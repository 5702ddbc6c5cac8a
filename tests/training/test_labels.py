"""Labels of a run: each planet its own spectrum, and what is no label is left out by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.training.labels import Labels, train_labels

PLANETS = list(range(60, 0, -1))


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    (data / "wavelengths.csv").write_text("")
    return RunFolder.open(tmp_path / "run", stage="train", data_dir=data, earlier=())


def table():
    """The label of planet p is p/1000 in every bin."""
    values = np.repeat(np.array(PLANETS)[:, None] / 1000.0, 283, axis=1)
    frame = pd.DataFrame(values, columns=[f"wl_{k}" for k in range(1, 284)])
    frame.insert(0, "planet_id", PLANETS)
    return frame


def check(labels, planets):
    assert labels.planet_ids.tolist() == planets
    np.testing.assert_allclose(labels.depth, np.repeat(np.array(planets)[:, None] / 1000.0, 283, axis=1))
    np.testing.assert_allclose(labels.of([7, 5])[:, 0], [0.007, 0.005])


def test_a_planet_twice_moves_no_other(run):
    """The fault of issue 11: with one doubled row, 57 of 60 planets were trained on another planet's
    spectrum."""
    frame = table()
    pd.concat([frame.iloc[:3], frame.iloc[[2]], frame.iloc[3:]]).to_csv(
        run.data_dir / "train.csv", index=False
    )
    check(train_labels(run, PLANETS), PLANETS)
    assert "planet 58 more than once" in read_json(run.root / "run.json")["stages"]["train"]["findings"][0]


def test_what_is_no_label_is_left_out_by_name(run):
    """Guards against NaN in the loss, and planets that vanish from the training without a word."""
    frame = table().astype(object)
    frame.loc[0, "wl_3"], frame.loc[1, "wl_4"], frame.loc[2, "wl_5"] = "--", -0.01, np.nan
    pd.concat([frame, frame.iloc[[3]].assign(wl_1=0.2)]).to_csv(run.data_dir / "train.csv", index=False)
    check(train_labels(run, [*PLANETS, PLANETS[-1]]), PLANETS[4:])
    stage = read_json(run.root / "run.json")["stages"]["train"]
    assert [entry["planet_id"] for entry in stage["failed_labels"]] == PLANETS[:4]
    assert len(stage["findings"]) == 4


def test_labels_check_themselves():
    """Guards against rows and planets of different length, whoever made them."""
    for planets, rows in (([1, 2], 3), ([1, 1], 2)):
        with pytest.raises(DataError, match="do not match"):
            Labels(np.array(planets), np.zeros((rows, 283)), Metric())
