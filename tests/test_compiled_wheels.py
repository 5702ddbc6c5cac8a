"""`spectramind_kit.compiled_wheels`: builds are tried before they are kept, and a failure costs only its
package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spectramind_kit import compiled_wheels
from spectramind_kit.errors import ConfigError

SETUP = "from setuptools import setup\nsetup(name={name!r}, version='1.0', py_modules=[{name!r}])\n"


def make_source(folder: Path, name: str, *, setup: str = SETUP, value: str = "42") -> str:
    """A tiny source package, which stands for one that takes an hour to compile; returns its path, which pip
    takes as a name."""
    folder = folder / name
    folder.mkdir()
    (folder / "setup.py").write_text(setup.format(name=name))
    (folder / f"{name}.py").write_text(f"value = {value}\n")
    return str(folder)


@pytest.mark.slow
def test_only_wheels_that_work_are_kept(tmp_path, monkeypatch):
    """Guards against a wheel that installs and computes rubbish, and against one failed build ending the
    others."""
    works = make_source(tmp_path, "works")
    wrong = make_source(tmp_path, "wrong", value="41")
    fails = make_source(tmp_path, "fails", setup="raise SystemExit('nvcc was not found')")
    monkeypatch.setattr(compiled_wheels, "PACKAGES", (works, wrong, fails))
    probe = (
        "import sys; sys.path[:0] = {paths!r}; import {module} as m; assert m.value == 42, 'wrong numbers'"
    )
    monkeypatch.setattr(compiled_wheels, "_PROBE", probe)
    monkeypatch.setattr(compiled_wheels, "_build_environment", lambda: dict(compiled_wheels.os.environ))
    out = tmp_path / "out"
    builds = compiled_wheels.build_wheels([fails, wrong, works], out)
    assert [build.works for build in builds] == [False, False, True]
    assert "nvcc was not found" in builds[0].note and "wrong numbers" in builds[1].note
    assert [path.name for path in out.glob("*.whl")] == [builds[2].wheel]
    assert [entry["works"] for entry in json.loads((out / "wheels.json").read_text())] == [False, False, True]


def test_no_time_left_is_said(tmp_path, monkeypatch):
    """Guards against a build that runs past the session's limit and loses what was built before it."""
    monkeypatch.setattr(compiled_wheels.TimeBudget, "left_s", property(lambda self: -1.0))
    (build,) = compiled_wheels.build_wheels(["mamba-ssm"], tmp_path)
    assert not build.works and build.note == "no time was left"


def test_an_unknown_package_is_an_error(tmp_path):
    """Guards against building mamba, which is an unrelated test runner."""
    with pytest.raises(ConfigError, match="did you mean 'mamba-ssm'"):
        compiled_wheels.build_wheels(["mamba"], tmp_path)


def test_the_probe_runs_in_a_process_of_its_own(tmp_path):
    """Guards against a probe that cannot be reached outside the checkout: every wheel would seem broken."""
    (tmp_path / "torch_scatter.py").write_text(
        "raise OSError('undefined symbol: _ZN3c10')\n", encoding="utf-8"
    )
    paths = [str(tmp_path), str(Path(compiled_wheels.__file__).parents[1])]
    code = compiled_wheels._PROBE.format(paths=paths, module="torch_scatter")
    done = compiled_wheels.run_program([compiled_wheels.sys.executable, "-c", code])
    assert done.returncode == 1 and "OSError: undefined symbol: _ZN3c10" in done.stdout
