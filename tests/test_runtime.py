"""`spectramind_kit.runtime`: where the kit runs, on what, with how much time."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from spectramind_kit import runtime
from spectramind_kit.errors import DataError


def make_competition(folder):
    (folder / "test" / "1").mkdir(parents=True)
    (folder / "wavelengths.csv").write_text("wl_1\n0.7\n")
    return folder


@pytest.mark.parametrize(
    "variables, name, on_kaggle, rerun",
    [
        ({}, "local", False, False),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, "kaggle", True, False),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch", "KAGGLE_IS_COMPETITION_RERUN": "1"}, "kaggle-rerun", True, True),
        ({"KAGGLE_IS_COMPETITION_RERUN": "1"}, "kaggle-rerun", True, True),
    ],
)
def test_where_am_i(monkeypatch, variables, name, on_kaggle, rerun):
    """Guards against a rerun that is taken for an editing session (and would then skip the hidden
    planets)."""
    for variable in ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_IS_COMPETITION_RERUN"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    place = runtime.where_am_i()
    assert (place.name, place.on_kaggle, place.is_rerun) == (name, on_kaggle, rerun)


@pytest.mark.parametrize(
    "mount", ["ariel-data-challenge-2025", "competitions/ariel-data-challenge-2025", "x/y/another-name"]
)
def test_data_are_found_in_each_mount_layout(tmp_path, monkeypatch, mount):
    """Guards against one of Kaggle's mount layouts being unknown."""
    folder = make_competition(tmp_path / mount)
    assert runtime.find_data_dir(input_root=tmp_path) == folder.resolve()
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(tmp_path))
    assert runtime.find_data_dir() == folder.resolve()


def test_missing_data_say_where_they_were_looked_for(tmp_path):
    """Guards against an error that does not tell which folders were tried, and against half a folder being
    taken."""
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "wavelengths.csv").write_text("")
    for arguments in ({"input_root": tmp_path}, {"data_dir": tmp_path / "half"}):
        with pytest.raises(DataError) as caught:
            runtime.find_data_dir(**arguments)
        assert str(tmp_path) in str(caught.value) and "wavelengths.csv" in str(caught.value)


def test_data_are_found_without_wavelengths(tmp_path):
    """Guards against a table that is missing ending 03_submit, where the training's stands in for it."""
    folder = make_competition(tmp_path / "data")
    (folder / "wavelengths.csv").rename(folder / "axis_info.parquet")
    assert runtime.find_data_dir(folder) == runtime.find_data_dir(input_root=tmp_path) == folder.resolve()


@pytest.mark.parametrize("mount", ["my-kernel", "notebooks/owner/my-kernel", "datasets/owner/my-data"])
def test_outputs_of_earlier_kernels_are_found(tmp_path, mount):
    """Guards against a chained kernel that does not see what the one before it left, and against a walk over
    a thousand planets on a network file system."""
    make_competition(tmp_path / "competitions" / "ariel-data-challenge-2025")
    (tmp_path / "competitions" / "ariel-data-challenge-2025" / "test" / "1" / "store").mkdir()
    store = tmp_path / mount / "work" / "store"
    (store / "abc" / "store").mkdir(parents=True)
    (tmp_path / mount / "fold_0.pt").write_bytes(b"x")
    assert runtime.find_inputs("store", input_root=tmp_path) == [store]
    assert runtime.find_inputs("fold_*.pt", input_root=tmp_path) == [tmp_path / mount / "fold_0.pt"]
    assert runtime.find_inputs("nothing", input_root=tmp_path) == []
    assert runtime.find_inputs("store", input_root=tmp_path / "absent") == []


class FakeTorch:
    """As much of torch as `probe_device` uses, with a GPU of a given kind."""

    def __init__(self, *, capability, fails=False):
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            get_device_capability=lambda device: capability,
            get_device_name=lambda device: "a GPU",
        )
        self._fails = fails

    def ones(self, *shape, device):
        if self._fails:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        import numpy as np

        return np.ones(shape)


@pytest.mark.parametrize(
    "capability, dtype",
    [((6, 0), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")],
)
def test_dtype_follows_the_compute_capability(monkeypatch, capability, dtype):
    """Guards against bf16 on a T4, which claims to support it and emulates it."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(capability=capability))
    assert runtime.probe_device().amp_dtype == dtype
    assert runtime.probe_device("cpu").kind == "cpu"


def test_a_gpu_without_kernels_is_not_used(monkeypatch):
    """Guards against a P100: is_available() is true and no kernel runs."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(capability=(6, 0), fails=True))
    device = runtime.probe_device()
    assert device.kind == "cpu" and "runs no kernel" in device.note and not device.uses_amp
    with pytest.raises(DataError, match="cannot be used"):
        runtime.probe_device("cuda")
    with pytest.raises(DataError, match="unknown device"):
        runtime.probe_device("tpu")


def test_time_budget_learns_what_a_unit_costs():
    """Guards against a run that finds out at hour nine that it is late."""
    now = [0.0]
    budget = runtime.TimeBudget(1.0, reserve=0.1, clock=lambda: now[0])
    assert budget.left_s == pytest.approx(3240) and budget.fits("anything", units=10**9)
    budget.charge("visit", units=2, seconds=20)
    assert budget.seconds_per_unit("visit") == pytest.approx(10)
    assert budget.fits("visit", units=323) and not budget.fits("visit", units=325)
    now[0] = 3000.0
    assert budget.fits("visit", units=23) and not budget.fits("visit", units=25)
    now[0] = 3500.0
    assert budget.left_s < 0 and not budget.fits("anything", units=0)
    with pytest.raises(DataError):
        runtime.TimeBudget(0)


def test_progress_is_plain_and_sparse_without_a_terminal(monkeypatch, capsys):
    """Guards against progress bars that flood papermill's log."""
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    clock = iter(range(0, 100_000, 10))
    monkeypatch.setattr(runtime.time, "monotonic", lambda: float(next(clock)))
    assert list(runtime.progress(range(9), desc="visits", unit="visit")) == list(range(9))
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == 4
        and lines[0].startswith("visits: 3/9 visit")
        and "left" in lines[0]
        and lines[-1].startswith("visits: 9 visit in")
    )


@pytest.mark.parametrize(
    "seconds, text", [(0.44, "0.4 s"), (45, "45 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_format_seconds(seconds, text):
    """Guards against times that nobody can read."""
    assert runtime.format_seconds(seconds) == text


def test_machine_readings_are_plausible():
    """Guards against a unit slip (kB, kiB, MB) in what run.json tells."""
    assert 20 < runtime.peak_memory_mb() < 1e5
    assert runtime.free_memory_mb() > 50
    assert runtime.cpu_count() >= 1
    described = runtime.describe_environment()
    assert described["packages"]["numpy"] and described["place"] in ("local", "kaggle", "kaggle-rerun")
