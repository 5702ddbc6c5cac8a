"""`runtime.place`: where the kit runs and where the data lie."""

from __future__ import annotations

import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import find_data_dir, find_inputs, where_am_i


@pytest.fixture
def attached(tmp_path, monkeypatch):
    """A folder in the place of /kaggle/input."""
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(tmp_path))
    return tmp_path


def make_competition(folder):
    (folder / "test" / "1").mkdir(parents=True)
    (folder / "wavelengths.csv").write_text("wl_1\n0.7\n")
    return folder


@pytest.mark.parametrize(
    "variables, name, on_kaggle",
    [
        ({}, "local", False),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, "kaggle", True),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch", "KAGGLE_IS_COMPETITION_RERUN": "1"}, "kaggle-rerun", True),
        ({"KAGGLE_IS_COMPETITION_RERUN": "1"}, "kaggle-rerun", True),
    ],
)
def test_where_am_i(monkeypatch, variables, name, on_kaggle):
    """Guards against a rerun that is taken for an editing session (and then skips the hidden planets)."""
    for variable in ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_IS_COMPETITION_RERUN"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    place = where_am_i()
    assert (place.name, place.on_kaggle) == (name, on_kaggle)


@pytest.mark.parametrize(
    "mount", ["ariel-data-challenge-2025", "competitions/ariel-data-challenge-2025", "x/y/another-name"]
)
def test_data_are_found_in_each_mount_layout(attached, mount):
    """Guards against one of Kaggle's mount layouts being unknown."""
    folder = make_competition(attached / mount)
    assert find_data_dir() == folder.resolve()


def test_missing_data_say_where_they_were_looked_for(attached):
    """Guards against an error that does not tell which folders were tried, and half a folder being taken."""
    (attached / "half").mkdir()
    (attached / "half" / "wavelengths.csv").write_text("")
    for data_dir in ("", attached / "half"):
        with pytest.raises(DataError) as caught:
            find_data_dir(data_dir)
        assert str(attached) in str(caught.value) and "wavelengths.csv" in str(caught.value)


def test_data_are_found_without_wavelengths(attached):
    """Guards against a table that is missing ending 03_submit, where the training's stands in for it."""
    folder = make_competition(attached / "data")
    (folder / "wavelengths.csv").rename(folder / "axis_info.parquet")
    assert find_data_dir(folder) == find_data_dir() == folder.resolve()


@pytest.mark.parametrize("mount", ["my-kernel", "notebooks/owner/my-kernel", "datasets/owner/my-data"])
def test_outputs_of_earlier_kernels_are_found(attached, monkeypatch, mount):
    """Guards against a chained kernel that does not see what the one before it left, and against a walk over
    a thousand planets on a network file system."""
    competition = make_competition(attached / "competitions" / "ariel-data-challenge-2025")
    (competition / "test" / "1" / "store").mkdir()
    store = attached / mount / "work" / "store"
    (store / "abc" / "store").mkdir(parents=True)
    (attached / mount / "fold_0.pt").write_bytes(b"x")
    assert find_inputs("store") == [store]
    assert find_inputs("fold_*.pt") == [attached / mount / "fold_0.pt"]
    assert find_inputs("nothing") == []
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(attached / "absent"))
    assert find_inputs("store") == []
