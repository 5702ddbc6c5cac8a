"""`spectramind_kit.check_environment`: says what is missing, and never ends in a traceback."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from spectramind_kit import check_environment as module
from spectramind_kit.runtime import Device

ROOT = Path(__file__).parents[1]


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_this_environment_is_complete(capsys):
    """Guards against a check that fails where the tests run, and against output that a script cannot read."""
    assert module.main(["--json"]) == 0
    out = capsys.readouterr().out
    findings = {entry["name"]: entry for entry in json.loads(out[out.index("[\n") :])}
    assert findings["torch"]["status"] == findings["Python"]["status"] == "ok"
    assert findings["memory"]["text"].endswith("GB free")


def test_each_backend_is_reported():
    """Guards against a report that leaves open which scan runs."""
    findings = by_name(module._backends())
    assert {"mamba1 scan", "mamba2 scan", "torch_scatter"} <= findings.keys()
    assert all(finding.status in ("ok", "note") and finding.text for finding in findings.values())


def test_a_missing_and_an_old_package_are_told_with_their_remedy(monkeypatch):
    """Guards against 'ModuleNotFoundError' at hour one instead of a line before the start."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(module, "REQUIRED", {"pyarrow": "16", "numpy": "99.1"})
    findings = by_name(module._packages())
    assert findings["pyarrow"].status == "missing" and "pip install 'pyarrow>=16'" in findings["pyarrow"].fix
    assert findings["numpy"].status == "missing" and "too old" in findings["numpy"].text


def test_a_missing_optional_package_is_only_a_note(monkeypatch):
    """Guards against an alarm for something that the kit works without (Kaggle has no hydra)."""
    monkeypatch.setitem(sys.modules, "hydra", None)
    monkeypatch.setattr(module, "REQUIRED", {})
    finding = by_name(module._packages())["hydra-core"]
    assert finding.status == "note" and "OmegaConf" in finding.text


@pytest.mark.parametrize(
    "package, module_name",
    [("polars", "polars"), ("hydra-core", "hydra"), ("umap-learn", "umap"), ("shap", "shap")],
)
def test_an_optional_package_that_is_broken_is_told_with_its_cause(monkeypatch, package, module_name):
    """Guards against 'ok, 1.44' for a package whose import ends the run."""

    class PanicException(BaseException):
        pass

    def fail():
        raise PanicException("no such instruction")

    monkeypatch.setitem(module.PROBES, module_name, fail)
    monkeypatch.setattr(module, "REQUIRED", {})
    monkeypatch.setattr(module, "OPTIONAL", {module_name: (package, "something is lost")})
    finding = by_name(module._packages())[package]
    assert finding.status == "note" and "--force-reinstall" in finding.fix
    assert "PanicException: no such instruction" in finding.text and "something is lost" in finding.text


@pytest.mark.parametrize(
    "note", ["CPU: a GPU is there but runs no kernel (RuntimeError: no kernel image)", "CPU: no CUDA device"]
)
def test_a_gpu_that_runs_nothing_is_told(monkeypatch, note):
    """Guards against a P100 that counts as a GPU."""
    monkeypatch.setattr(module, "probe_device", lambda: Device("cpu", "cpu", "float32", note))
    finding = by_name(module._device())["GPU"]
    assert finding.status == "note" and note in finding.text and finding.fix


def test_little_memory_and_disk_are_told(monkeypatch, tmp_path):
    """Guards against a run that is killed without a message."""
    monkeypatch.setattr(module, "free_memory_mb", lambda: 900.0)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5e6})())
    findings = by_name(module._machine(tmp_path / "not" / "yet"))
    assert findings["memory"].status == findings["disk"].status == "missing"


def test_data_are_counted_or_said_to_be_missing(tmp_path, capsys):
    """Guards against a folder that looks like the competition's and holds no planets."""
    (tmp_path / "test").mkdir()
    (tmp_path / "wavelengths.csv").write_text("wl_1\n")
    finding = by_name(module._data(tmp_path))["data"]
    assert finding.status == "missing" and "test 0 planets" in finding.text
    assert module.main(["--data", str(tmp_path / "absent")]) == 1
    assert "Missing: data." in capsys.readouterr().out
    assert by_name(module._data(""))["data"].status in ("note", "ok"), "no data were asked for: not an error"


def test_a_check_that_breaks_is_a_line_of_the_report(monkeypatch):
    """Guards against a traceback from a broken wheel hiding the rest of the report."""

    def _packages():
        raise OSError("undefined symbol")

    monkeypatch.setattr(module, "_packages", _packages)
    findings = by_name(module.check_environment())
    assert findings["packages"].status == "missing" and "disk" in findings
    assert "undefined symbol" in findings["packages"].text


def test_inputs_of_earlier_kernels_are_told_on_kaggle(monkeypatch, tmp_path):
    """Guards against a submission kernel that was started without the training's output."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("SPECTRAMIND_INPUT", str(tmp_path))
    assert by_name(module._inputs())["earlier kernels"].status == "note"
    (tmp_path / "spectramind-train" / "bundle").mkdir(parents=True)
    (tmp_path / "spectramind-train" / "bundle" / "bundle.json").write_text("{}")
    assert by_name(module._inputs())["earlier kernels"].status == "ok"


def test_lowest_versions_are_those_of_the_project():
    """Guards against a check that passes what pip would refuse, or asks for what is not needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = dict(line.split(">=") for line in project["dependencies"])
    optional = {package for package, _ in module.OPTIONAL.values()}
    assert {name: low for name, low in declared.items() if name not in optional} == module.REQUIRED
