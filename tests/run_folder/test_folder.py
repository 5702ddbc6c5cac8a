from __future__ import annotations

import json

import pytest

from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.run_folder.folder import RunFolder, find_earlier_runs
from spectramind_kit.run_folder.json_file import read_json, write_json


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data"
    (folder / "test").mkdir(parents=True)
    (folder / "wavelengths.csv").write_text("wl_1\n0.7\n")
    return folder


def open_run(tmp_path, data_dir, **options):
    return RunFolder.open(tmp_path / "run", stage="train", data_dir=data_dir, **options)


def test_stages_share_run_json(tmp_path, data_dir):
    """Guards against a later notebook wiping what an earlier one recorded."""
    first = open_run(tmp_path, data_dir, seed=3)
    first.record_stage(planets=5)
    first.close()
    second = RunFolder.open(tmp_path / "run", stage="submit", data_dir=data_dir)
    second.failures("anchor", [PlanetFailure(7, "broken"), PlanetFailure(8, "cut", visit=1)])
    content = read_json(tmp_path / "run" / "run.json")
    assert content["stages"]["train"]["planets"] == 5 and content["stages"]["train"]["status"] == "done"
    assert content["stages"]["submit"]["failed_anchor"][1] == {"planet_id": 8, "visit": 1, "error": "cut"}
    assert content["environment"]["packages"]["torch"]


def test_failures_add_up_within_a_run_and_are_gone_in_the_next(tmp_path, data_dir):
    """Guards against the last chunk of planets hiding what broke in the first, and against blaming a mended
    file."""
    run = open_run(tmp_path, data_dir)
    run.failures("anchor", [PlanetFailure(7, "broken")])
    run.failures("anchor", [PlanetFailure(8, "broken")])
    assert [e["planet_id"] for e in read_json(run.root / "run.json")["stages"]["train"]["failed_anchor"]] == [
        7,
        8,
    ]
    assert "failed_anchor" not in read_json(open_run(tmp_path, data_dir).root / "run.json")["stages"]["train"]


def test_a_failed_step_is_logged_as_failed(tmp_path, data_dir):
    run = open_run(tmp_path, data_dir)
    with pytest.raises(ValueError), run.step("broken step"):
        raise ValueError
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["name"] == "broken step" and records[-1]["status"] == "failed"


def test_a_backend_is_said_once(tmp_path, data_dir, capsys):
    run = open_run(tmp_path, data_dir)
    for _ in range(3):
        run.backend("scan", "torch")
    assert capsys.readouterr().out.count("scan: torch") == 1
    assert read_json(run.root / "run.json")["backends"] == {"scan": "torch"}


def test_earlier_kernels_are_found_and_read_after_the_own_folder(tmp_path, data_dir, monkeypatch):
    """Guards against a chained kernel that trains again because it does not see its input."""
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(tmp_path / "input"))
    kernel = tmp_path / "input" / "notebooks" / "me" / "train"
    write_json(kernel / "run.json", {})
    write_json(kernel / "bundle" / "bundle.json", {"format": 1})
    weights = tmp_path / "input" / "datasets" / "me" / "weights"
    write_json(weights / "bundle" / "bundle.json", {"format": 1})
    assert find_earlier_runs() == sorted([kernel, weights])
    run = open_run(tmp_path, data_dir)
    assert run.find("bundle/bundle.json").parents[1] in (kernel, weights)
    write_json(run.root / "bundle" / "bundle.json", {})
    assert run.find("bundle/bundle.json") == run.root / "bundle" / "bundle.json"
    assert run.find("nowhere") is None


def test_a_misspelt_override_fails_before_anything_is_written(tmp_path, data_dir):
    with pytest.raises(DataError, match="train.epochs"):
        open_run(tmp_path, data_dir, overrides=["train.epoch=3"])
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("variable, profile", [("", "quick"), ("KAGGLE_KERNEL_RUN_TYPE", "full")])
def test_the_profile_suits_the_place(tmp_path, data_dir, monkeypatch, variable, profile):
    """Guards against a kernel on Kaggle that trains the small model of a two-minute demonstration."""
    if variable:
        monkeypatch.setenv(variable, "Batch")
    open_run(tmp_path, data_dir)
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
def test_a_damaged_run_json_does_not_stop_a_run(tmp_path, data_dir, content):
    """Guards against a notebook that raises for what a power cut, or an editor, made of the record."""
    write_json(tmp_path / "run" / "run.json", {})
    (tmp_path / "run" / "run.json").write_bytes(content)
    open_run(tmp_path, data_dir).close()
    assert read_json(tmp_path / "run" / "run.json")["stages"]["train"]["status"] == "done"


def test_what_was_found_out_on_another_machine_is_forgotten(tmp_path, data_dir, monkeypatch):
    """Guards against a folder that was copied to another machine, where the faster of processor and GPU is
    another."""
    from spectramind_kit.run_folder import folder as run_folder
    from spectramind_kit.runtime import Device

    devices = [Device("cuda", "cuda:0", "float16", note) for note in ("one GPU", "another GPU")]
    monkeypatch.setattr(run_folder, "probe_device", lambda wish: devices[0])
    run = open_run(tmp_path, data_dir)
    run.device()
    run.backend("anchor", "GPU, float64")
    run.device()
    assert run.known_backend("anchor") == "GPU, float64"
    monkeypatch.setattr(run_folder, "probe_device", lambda wish: devices[1])
    again = open_run(tmp_path, data_dir)
    again.device()
    assert again.known_backend("anchor") is None and again.known_backend("device") == "another GPU"


def test_a_finding_is_said_once_and_kept(tmp_path, data_dir, capfd):
    """Guards against the same line for every chunk of planets, and against a finding that nobody can look
    up."""
    run = open_run(tmp_path, data_dir)
    for _ in range(2):
        run.tell("t.csv: a row twice")
    run.tell("t.csv: another")
    assert capfd.readouterr().out.count("a row twice") == 1
    assert read_json(run.root / "run.json")["stages"]["train"]["findings"] == [
        "t.csv: a row twice",
        "t.csv: another",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=ten",
        "model.size.width=33",
        "loss.smoothness_form=ftt",
        "model.airs_encoder.graph_layer=gatt",
    ],
)
def test_a_run_with_impossible_settings_does_not_open(tmp_path, data_dir, override):
    """Guards against an error of the settings that comes after the hours of light curves and anchors."""
    from spectramind_kit.errors import ConfigError

    with pytest.raises(ConfigError):
        open_run(tmp_path, data_dir, overrides=[override])


def test_a_full_disk_costs_the_record_and_not_the_run(tmp_path, data_dir, monkeypatch, capfd):
    """Guards against 03_submit, which must not raise once its fallback is written."""
    run = open_run(tmp_path, data_dir)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spectramind_kit.whole_file.os.replace", full)
    monkeypatch.setattr(run.logbook, "write", full)
    with run.step("a step"):
        run.record_stage(planets=5)
        run.tell("a finding")
        run.failures("anchor", [PlanetFailure(7, "broken")])
    run.close()
    said = capfd.readouterr().out
    assert (
        said.count("run.json cannot be written") == 1 and said.count("metrics.jsonl cannot be written") == 1
    )
    assert "a finding" in said and "planet 7: broken" in said and "None" not in said
    assert not list(run.root.glob("*.part*"))


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_a_seed_that_no_generator_takes_does_not_open(tmp_path, data_dir, seed):
    """Guards against NumPy's ValueError after light curves and anchors."""
    from spectramind_kit.errors import ConfigError

    with pytest.raises(ConfigError, match="seed"):
        open_run(tmp_path, data_dir, seed=seed)
    assert not (tmp_path / "run").exists()


def test_flagged_visits_are_kept_and_said_once(tmp_path, data_dir, capfd):
    """Guards against a visit that lost a sensor, is used with the other, and is named nowhere."""
    run = open_run(tmp_path, data_dir)
    flags = {(k, 0): ["FGS1 missing: the file cannot be decoded"] for k in range(12)}
    for _ in range(2):
        run.flagged("light_curves_test", flags)
    said = capfd.readouterr().out
    assert said.count("flagged: planet 3 visit 0: FGS1 missing") == 1 and "and 2 more, see run.json" in said
    kept = read_json(run.root / "run.json")["stages"][run.stage]["flagged_light_curves_test"]
    assert len(kept) == 12 and kept[11] == {"planet_id": 11, "visit": 0, "flags": flags[11, 0]}
