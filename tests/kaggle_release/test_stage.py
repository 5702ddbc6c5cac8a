"""`scripts/stage_kaggle`: what goes to Kaggle, and that it works there without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.kaggle_release import stage
from scripts.kaggle_release.kernels import ROOT
from spectramind_kit.errors import DataError

BOOTSTRAP = (ROOT / "notebooks" / "bootstrap_cell.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return stage.build_kit_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_small_and_whole(wheel):
    """Guards against configuration files left out, and against data, tests or notebooks slipping in."""
    assert wheel.stat().st_size <= 2.5e6, "the weights of the network are 1.3 MB of it"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    for suffix in (".yaml", ".pt", ".json"):
        packed = {name for name in names if name.endswith(suffix)}
        there = (ROOT / "spectramind_kit").rglob(f"*{suffix}")
        assert packed == {path.relative_to(ROOT).as_posix() for path in there} and packed
    assert {name.split("/")[0].split("-")[0] for name in names} == {"spectramind_kit"}
    assert any("LICENSE" in name for name in names) and "License-Expression: Apache-2.0" in metadata


def run_bootstrap(cwd: Path, inputs: Path, code: str) -> subprocess.CompletedProcess:
    """The bootstrap cell and then ``code``, in another folder, where the checkout cannot be imported."""
    blocked = (
        "import sys\nsys.path[:] = [p for p in sys.path if 'editable' not in p]\n"
        f"sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "SPECTRAMIND_INPUT": str(inputs)
    }
    return subprocess.run(
        [sys.executable, "-c", blocked + BOOTSTRAP + "\n" + code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("mount", ["spectramind-kit", "datasets/someone/spectramind-kit"])
def test_the_bootstrap_cell_finds_the_wheel(tmp_path, wheel, mount):
    """Guards against a mount layout in which the kit is not found, and configuration files that cannot be
    read from it."""
    (tmp_path / "input" / mount).mkdir(parents=True)
    shutil.copy(wheel, tmp_path / "input" / mount)
    done = run_bootstrap(
        tmp_path,
        tmp_path / "input",
        "import spectramind_kit as kit\nprint(kit.__file__)\n"
        "print(sorted(kit.load_config(profile='smoke', use_hydra=False))[:1])",
    )
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout and "spectramind_kit" in done.stdout


def test_the_bootstrap_cell_takes_an_unpacked_folder_first(tmp_path, wheel):
    """Guards against an old wheel that hides the package someone has unpacked to edit."""
    home = tmp_path / "input" / "my-kit"
    (home / "spectramind_kit").mkdir(parents=True)
    (home / "spectramind_kit" / "__init__.py").write_text("mine = True\n")
    shutil.copy(wheel, home)
    done = run_bootstrap(tmp_path, tmp_path / "input", "import spectramind_kit\nprint(spectramind_kit.mine)")
    assert done.stdout.strip() == "True", done.stderr


def test_the_bootstrap_cell_finds_the_checkout(tmp_path):
    """Guards against a notebook opened in the checkout, in an environment without the kit."""
    done = run_bootstrap(ROOT / "notebooks", tmp_path, "import spectramind_kit as kit\nprint(kit.__file__)")
    assert done.returncode == 0 and str(ROOT / "spectramind_kit") in done.stdout, done.stderr


def test_the_bootstrap_cell_says_what_it_looked_for(tmp_path):
    """Guards against ModuleNotFoundError as the only word about a dataset that was not attached."""
    (tmp_path / "input" / "something-else").mkdir(parents=True)
    done = run_bootstrap(tmp_path, tmp_path / "input", "")
    assert done.returncode != 0
    assert (
        "something-else" in done.stderr and "spectramind_kit-*.whl" in done.stderr and "attach" in done.stderr
    )


def test_the_bootstrap_cell_does_not_walk_the_planets(tmp_path, wheel):
    """Guards against minutes of listing a thousand planets' folders on a network file system."""
    planet = tmp_path / "input" / "ariel-data-challenge-2025" / "test" / "1" / "spectramind_kit"
    planet.mkdir(parents=True)
    (planet / "__init__.py").write_text("raise SystemExit('looked into the planets')")
    shutil.copy(wheel, tmp_path / "input" / "ariel-data-challenge-2025" / "test" / "1")
    done = run_bootstrap(tmp_path, tmp_path / "input", "")
    assert done.returncode != 0 and "attach the kit's dataset" in done.stderr


@pytest.mark.slow
def test_hydra_comes_with_the_dataset(tmp_path):
    """Guards against the one package that Kaggle's image lacks: found by the bootstrap cell, and giving the
    same configuration."""
    from tests.kaggle_session import attach, run_code

    stage.stage(tmp_path / "dataset", owner="someone")
    competition = tmp_path / "competition"
    competition.mkdir()
    inputs = attach(
        tmp_path / "input", layout="nested", competition=competition, dataset=tmp_path / "dataset"
    )
    outcome = run_code(
        BOOTSTRAP + "\nimport hydra\nfrom spectramind_kit import load_config\nprint(hydra.__file__)\n"
        "print(load_config(use_hydra=True) == load_config(use_hydra=False))",
        tmp_path,
        inputs=inputs,
    )
    lines = outcome.text.strip().splitlines()
    assert (
        outcome.exit_code == 0
        and "site-packages" not in lines[-2]
        and lines[-1] == "True"
        and not outcome.breaches
    ), outcome.text


@pytest.mark.slow
def test_a_staged_dataset_is_complete(tmp_path, small_run):
    """Guards against a dataset without hydra-core, without weights, or with the light curves of the whole
    train set."""
    weights = small_run.root
    for name in ("train/abc/fold_0.pt", "store/abc/1_0.npz"):
        (weights / name).parent.mkdir(parents=True, exist_ok=True)
        (weights / name).write_bytes(b"x" * 1000)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "torch_scatter-2.1.2-cp312-cp312-linux_x86_64.whl").write_bytes(b"y")
    folder = tmp_path / "dataset"
    sizes = stage.stage(folder, owner="someone", wheels=wheels, weights=weights)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"bundle/bundle.json", "bundle/prior.npz", "bundle/calibration.json"} <= files
    assert not any(name.startswith(("store", "train")) or name.endswith(".csv") for name in files)
    assert (
        sum(name.startswith("hydra_core-1.3") for name in files) == 1
        and "torch_scatter-2.1.2-cp312-cp312-linux_x86_64.whl" in files
    )
    assert json.loads((folder / "dataset-metadata.json").read_text())["id"] == "someone/spectramind-kit"
    assert sizes["kit"] + sizes["pure_wheels"] < 3.0 and sizes["weights"] > 0.001
    assert (
        stage.stage(folder, owner="someone").keys() == {"kit", "pure_wheels"}
        and not (folder / "bundle").exists()
    ), "staged afresh"


@pytest.fixture
def packed(monkeypatch):
    """Without pip: a file in place of each wheel."""

    def wheel(name):
        def write(folder):
            (folder / name).write_bytes(b"wheel")
            return folder / name

        return write

    monkeypatch.setattr(stage, "build_kit_wheel", wheel("spectramind_kit-9-py3-none-any.whl"))
    hydra = wheel("hydra_core-1-py3-none-any.whl")
    monkeypatch.setattr(stage, "fetch_pure_wheels", lambda folder: [hydra(folder)])
    return monkeypatch


def test_an_earlier_staging_stays_until_the_new_one_is_whole(tmp_path, packed):
    """Guards against a typing error or a lost network that costs the staged dataset, and leaves a folder that
    the next try refuses."""
    folder = tmp_path / "dataset"
    stage.stage(folder, owner="someone")
    (folder / "mark").touch()

    def no_network(folder):
        (folder / "half").touch()
        raise DataError("fetching hydra-core failed")

    for owner, weights, word in (
        ("someone", tmp_path / "tyop", "no trained bundle"),
        ("not a name", None, "owner/slug"),
        ("someone", None, "hydra-core failed"),
    ):
        if word.startswith("hydra"):
            packed.setattr(stage, "fetch_pure_wheels", no_network)
        with pytest.raises(DataError, match=word):
            stage.stage(folder, owner=owner, weights=weights)
        assert (folder / "mark").is_file() and [path.name for path in tmp_path.iterdir()] == ["dataset"]
    packed.setattr(stage, "fetch_pure_wheels", lambda folder: [])
    stage.stage(folder, owner="someone")
    names = {path.name for path in folder.iterdir()}
    assert names == {"spectramind_kit-9-py3-none-any.whl", "dataset-metadata.json"}


def test_a_first_try_that_fails_leaves_nothing(tmp_path, packed):
    """Guards against half a folder that the second try takes for somebody's own files."""
    with pytest.raises(DataError, match="no trained bundle"):
        stage.stage(tmp_path / "dataset", owner="someone", weights=tmp_path / "none")
    assert stage.stage(tmp_path / "dataset", owner="someone").keys() == {"kit", "pure_wheels"}


def test_a_bundle_that_this_kit_would_not_use_is_not_staged(tmp_path, small_run, packed, capsys):
    """Guards against flat depths at the rerun, for weights of another version of the kit or a cut file."""
    stage.stage(tmp_path / "dataset", owner="someone", weights=small_run.root)
    assert f"bundle: {small_run.root / 'bundle'} (saved 20" in capsys.readouterr().out
    path = small_run.root / "bundle/bundle.json"
    for text, word in ((path.read_text().replace('"format": 2', '"format": 1'), "version"), ("{", "damaged")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=word):
            stage.stage(tmp_path / "dataset", owner="someone", weights=small_run.root)
    assert (tmp_path / "dataset/bundle/prior.npz").is_file(), "the earlier staging"


def test_the_bundle_is_named_by_its_own_folder(tmp_path, small_run, packed, capsys):
    """Guards against the date and fingerprint of another bundle, which lies beside the one that is staged."""
    mine = small_run.root / "best of three"
    shutil.copytree(small_run.root / "bundle", mine)
    path = mine / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"saved": "2021-02-03T04:05:06+00:00"}), encoding="utf-8")
    stage.stage(tmp_path / "dataset", owner="someone", weights=mine)
    said = capsys.readouterr().out
    assert f"bundle: {mine} (saved 2021-02-03 04:05:06 UTC" in said and said.count("bundle: ") == 1


def test_a_bundle_without_its_weights_is_not_staged(tmp_path, small_run, packed):
    """Guards against a submission without its network, for a file that was not copied along."""
    path = small_run.root / "bundle/bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"weights": ["fold_0.pt"]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"network could not be used.*fold_0\.pt"):
        stage.stage(tmp_path / "dataset", owner="someone", weights=small_run.root)
    assert not (tmp_path / "dataset").exists()


def test_ctrl_c_says_how_to_go_on(tmp_path, packed, capsys):
    """Guards against a traceback, and against half a staging."""

    def stopped(folder):
        raise KeyboardInterrupt

    packed.setattr(stage, "build_kit_wheel", stopped)
    assert stage.main(["--owner", "someone", "--out", str(tmp_path / "dataset")]) == 130
    assert capsys.readouterr().err == "stopped: run the same command again to go on\n"
    assert not list(tmp_path.iterdir())


def test_staging_replaces_only_its_own_folder(tmp_path):
    """Guards against `--out ~` and against the repository as a dataset."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="holds something else"):
        stage.stage(tmp_path, owner="someone")
    with pytest.raises(DataError, match="never staged"):
        stage.stage(ROOT, owner="someone")
    assert (tmp_path / "thesis.tex").is_file() and (ROOT / "pyproject.toml").is_file()


def test_weights_without_a_bundle_are_an_error(tmp_path):
    """Guards against a dataset that is believed to carry weights."""
    with pytest.raises(DataError, match="no trained bundle"):
        stage.copy_weights(tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="no trained bundle"):
        stage.copy_weights(tmp_path / "none", tmp_path / "out")
