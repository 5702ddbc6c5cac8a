"""A stage of a run: opened, timed, closed, and found again by the next."""

from __future__ import annotations

import json

import pytest

from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.run_folder.folder import RunFolder, find_earlier_runs
from spectramind_kit.run_folder.json_file import read_json, write_json


def test_stages_share_run_json(open_run, tmp_path, data_dir):
    """Guards against a later notebook wiping what an earlier one recorded."""
    first = open_run(seed=3)
    first.record_stage(planets=5)
    first.close()
    second = RunFolder.open(tmp_path / "run", stage="submit", data_dir=data_dir)
    second.failures("anchor", [PlanetFailure(7, "broken"), PlanetFailure(8, "cut", visit=1)])
    content = read_json(tmp_path / "run" / "run.json")
    assert content["stages"]["train"]["planets"] == 5 and content["stages"]["train"]["status"] == "done"
    assert content["stages"]["submit"]["failed_anchor"][1] == {"planet_id": 8, "visit": 1, "error": "cut"}
    assert content["environment"]["packages"]["torch"]


def test_a_failed_step_is_logged_as_failed(open_run, tmp_path):
    """Guards against a log in which every step ends well."""
    run = open_run()
    with pytest.raises(ValueError), run.step("broken step"):
        raise ValueError
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["name"] == "broken step" and records[-1]["status"] == "failed"


def test_earlier_kernels_are_found_and_read_after_the_own_folder(open_run, tmp_path, monkeypatch):
    """Guards against a chained kernel that trains again because it does not see its input."""
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(tmp_path / "input"))
    kernel = tmp_path / "input" / "notebooks" / "me" / "train"
    write_json(kernel / "run.json", {})
    write_json(kernel / "bundle" / "bundle.json", {"format": 1})
    weights = tmp_path / "input" / "datasets" / "me" / "weights"
    write_json(weights / "bundle" / "bundle.json", {"format": 1})
    assert find_earlier_runs() == sorted([kernel, weights])
    run = open_run()
    assert run.find("bundle/bundle.json").parents[1] in (kernel, weights)
    write_json(run.root / "bundle" / "bundle.json", {})
    assert run.find("bundle/bundle.json") == run.root / "bundle" / "bundle.json"
    assert run.find("nowhere") is None


def test_a_misspelt_override_fails_before_anything_is_written(open_run, tmp_path):
    """Guards against a run folder with the settings of nobody."""
    with pytest.raises(DataError, match="train.epochs"):
        open_run(overrides=["train.epoch=3"])
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("variable, profile", [("", "quick"), ("KAGGLE_KERNEL_RUN_TYPE", "full")])
def test_the_profile_suits_the_place(open_run, tmp_path, monkeypatch, variable, profile):
    """Guards against a kernel on Kaggle that trains the small model of a two-minute demonstration."""
    if variable:
        monkeypatch.setenv(variable, "Batch")
    open_run()
    assert read_json(tmp_path / "run" / "run.json")["profile"] == profile


@pytest.mark.parametrize(
    "content",
    [
        b'{"cut',
        b"",
        b"\0" * 100,
        b"[1]",
        b'{"a": "\xe9"}',
        b'{"stages": null}',
        b'{"stages": {"train": 1, "submit": []}}',
    ],
)
def test_a_damaged_run_json_does_not_stop_a_run(open_run, tmp_path, content):
    """Guards against a notebook that raises for what a power cut, or an editor, made of the record."""
    write_json(tmp_path / "run" / "run.json", {})
    (tmp_path / "run" / "run.json").write_bytes(content)
    open_run().close()
    assert read_json(tmp_path / "run" / "run.json")["stages"]["train"]["status"] == "done"


def test_what_was_found_out_on_another_machine_is_forgotten(open_run, monkeypatch):
    """Guards against a folder that was copied to another machine, where the faster of processor and GPU is
    another."""
    from spectramind_kit.run_folder import folder as run_folder
    from spectramind_kit.runtime import Device

    devices = [Device("cuda", "cuda:0", "float16", note) for note in ("one GPU", "another GPU")]
    monkeypatch.setattr(run_folder, "probe_device", lambda wish: devices[0])
    run = open_run()
    run.device()
    run.backend("anchor", "GPU, float64")
    run.device()
    assert run.known_backend("anchor") == "GPU, float64"
    monkeypatch.setattr(run_folder, "probe_device", lambda wish: devices[1])
    again = open_run()
    again.device()
    assert again.known_backend("anchor") is None and again.known_backend("device") == "another GPU"


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=ten",
        "model.size.width=33",
        "loss.smoothness_form=ftt",
        "model.airs_encoder.graph_layer=gatt",
    ],
)
def test_a_run_with_impossible_settings_does_not_open(open_run, override):
    """Guards against an error of the settings that comes after the hours of light curves and anchors."""
    from spectramind_kit.errors import ConfigError

    with pytest.raises(ConfigError):
        open_run(overrides=[override])


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_a_seed_that_no_generator_takes_does_not_open(open_run, tmp_path, seed):
    """Guards against NumPy's ValueError after light curves and anchors."""
    from spectramind_kit.errors import ConfigError

    with pytest.raises(ConfigError, match="seed"):
        open_run(seed=seed)
    assert not (tmp_path / "run").exists()
