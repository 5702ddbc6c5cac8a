"""`scripts/environment.sh`: which interpreter it takes, when it reuses, what it says when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def bash(code: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAMIND_")}
    return subprocess.run(
        ["bash", "-c", f"source {ROOT}/scripts/environment.sh\n{code}"],
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the few programs that the script needs and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    names = ("bash", "sh", "dirname", "cat", "grep", "tail", "sed", "uname", "mkdir", "rm", "flock", "env")
    for name in names:
        if shutil.which(name):
            (folder / name).symlink_to(shutil.which(name))
    return folder


def test_an_interpreter_is_taken_only_if_it_runs(tmp_path, tools):
    """Guards against pyenv's shims: they exist for every version and fail when they are run."""
    program(tmp_path / "shims" / "python3.11", 'echo "pyenv: python3.11: command not found" >&2; exit 127')
    old = program(tmp_path / "old" / "python3.11", "exit 1")
    good = program(tmp_path / "good" / "python3.12", f'exec {sys.executable} "$@"')
    path = f"{tmp_path}/shims:{old.parent}:{good.parent}:{tools}"
    done = bash("_find_interpreter", PATH=path, PYENV_ROOT=str(tmp_path / "none"))
    assert done.returncode == 0 and done.stdout.strip() == str(good), done.stderr


def test_an_interpreter_under_pyenv_is_found_without_its_shims(tmp_path, tools):
    """Guards against a machine whose only fitting Python is one that pyenv has not activated."""
    good = program(
        tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3", f'exec {sys.executable} "$@"'
    )
    done = bash("_find_interpreter", PATH=str(tools), PYENV_ROOT=str(tmp_path / "pyenv"))
    assert done.stdout.strip() == str(good), done.stderr


def test_no_interpreter_is_a_clear_error(tmp_path, tools):
    """Guards against a shell error in place of the sentence that says what to install."""
    done = bash("_find_interpreter", PATH=str(tools), PYENV_ROOT=str(tmp_path / "none"))
    assert (
        done.returncode != 0
        and "no working Python 3.11, 3.12 or 3.13" in done.stderr
        and "SPECTRAMIND_PYTHON" in done.stderr
    )
    done = bash("_find_interpreter", PATH=str(tools), SPECTRAMIND_PYTHON="/nowhere/python")
    assert done.returncode != 0 and "/nowhere/python is not a working Python" in done.stderr


@pytest.mark.parametrize(
    "choice, driver, build",
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", False, "cuda")],
)
def test_the_torch_build_follows_the_driver_or_the_variable(tmp_path, tools, choice, driver, build):
    """Guards against several GB of CUDA libraries on a machine that cannot use them."""
    program(tmp_path / "driver" / "nvidia-smi", "exit 0" if driver else "exit 9")
    done = bash("_torch_build", PATH=f"{tmp_path}/driver:{tools}", SPECTRAMIND_TORCH=choice)
    assert done.stdout.strip() == build


def test_an_unknown_torch_build_is_an_error():
    """Guards against a misspelt choice that is silently the default."""
    done = bash("_torch_build", SPECTRAMIND_TORCH="gpu")
    assert done.returncode != 0 and "auto, cpu or cuda" in done.stderr


def test_a_standing_environment_is_reused(tmp_path):
    """Guards against an installation at every call, and against a stale environment after the pins have
    changed."""
    python = program(tmp_path / "venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("torch==1\n")
    settings = {
        "SPECTRAMIND_VENV": str(tmp_path / "venv"),
        "SPECTRAMIND_REQUIREMENTS": str(requirements),
        "SPECTRAMIND_TORCH": "cpu",
    }
    stamp = f'_stamp "{python}" cpu "{requirements}" > "{tmp_path}/venv/stamp"'
    broken_pip = '_install_all() { echo "pip was called"; return 1; }\n'
    done = bash(f"{broken_pip}{stamp}; ensure_environment && echo $PYTHON", **settings)
    assert done.returncode == 0 and done.stdout.strip() == str(python), done.stdout + done.stderr
    requirements.write_text("torch==2\n")
    done = bash(f"{broken_pip}ensure_environment", **settings)
    assert done.returncode != 0 and "Updating" in done.stdout and "pip was called" in done.stderr
    assert not (tmp_path / "venv" / "stamp").exists(), "half an installation must not pass for a whole one"


def test_a_failed_installation_shows_the_end_of_the_log(tmp_path):
    """Guards against 'error' without a reason: what pip said must be on the screen."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("torch==0.0.1\n")
    done = bash(
        "ensure_environment",
        SPECTRAMIND_VENV=str(tmp_path / "venv"),
        SPECTRAMIND_REQUIREMENTS=str(requirements),
        SPECTRAMIND_PYTHON=sys.executable,
        SPECTRAMIND_TORCH="cpu",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS="",
    )
    assert done.returncode != 0
    for words in ("could not be made", "torch==0.0.1", "install.log"):
        assert words in done.stderr
    assert (tmp_path / "venv" / "install.log").is_file() and not (tmp_path / "venv" / "stamp").exists()


def test_a_venv_that_cannot_be_made_is_told(tmp_path):
    """Guards against a script that ends without a word, because `set -e` acts before the message."""
    python = program(
        tmp_path / "bin" / "python3.11",
        f'if [ "$2" = venv ]; then echo "no space left on device"; exit 1; fi\nexec {sys.executable} "$@"',
    )
    done = bash(
        "set -euo pipefail\nensure_environment",
        SPECTRAMIND_VENV=str(tmp_path / "venv"),
        SPECTRAMIND_PYTHON=str(python),
        SPECTRAMIND_TORCH="cpu",
    )
    assert done.returncode != 0
    for words in ("no space left on device", "could not be made"):
        assert words in done.stderr, done.stdout + done.stderr


def with_pip(tmp_path: Path, tools: Path, *, works: bool, importable: str = "") -> dict[str, str]:
    """An environment whose `python -m pip` is recorded and does not touch the network, and whose imports fail
    until it has worked."""
    then = f"touch {tmp_path}/installed; exit 0" if works else "exit 1"
    python = program(
        tmp_path / "venv" / "bin" / "python",
        f"""
case "$1 $2" in
    "-m pip") echo "$@" >>{tmp_path}/pip.log; echo "no network here"; {then} ;;
    "-c import "*) case "$2" in *{importable or "nothing"}*) exit 0 ;; esac; [ -e {tmp_path}/installed ] ;;
esac""",
    )
    (tmp_path / "venv" / "stamp").write_text("the stamp\n", encoding="utf-8")
    return {"SPECTRAMIND_VENV": str(python.parents[1])}


def test_oracles_are_installed_once(tmp_path, tools):
    """Guards against 35 tests that skip in a newcomer's clone because only CI installed what they compare
    with."""
    settings = with_pip(tmp_path, tools, works=True)
    for _ in range(2):
        done = bash(
            "set -euo pipefail; PYTHON=$SPECTRAMIND_VENV/bin/python; ensure_test_packages", **settings
        )
        assert done.returncode == 0, done.stderr
    calls = (tmp_path / "pip.log").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 1 and "batman-package>=2.5" in calls[0], "Dask imports by then"
    assert "cannot be had" not in done.stdout


def test_an_oracle_that_cannot_be_had_is_said_and_not_tried_at_every_run(tmp_path, tools):
    """Guards against minutes of pip's retries before each test run of a machine without a network or a
    compiler."""
    settings = with_pip(tmp_path, tools, works=False, importable="distributed")
    code = "set -euo pipefail; PYTHON=$SPECTRAMIND_VENV/bin/python; ensure_test_packages"
    first, second = bash(code, **settings), bash(code, **settings)
    for done in (first, second):
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stdout.splitlines() if "cannot be had here" in line]
        assert line.startswith("batman-package>=2.5") and "install.log" in line and "rm " in line
    assert len((tmp_path / "pip.log").read_text(encoding="utf-8").splitlines()) == 1
    assert "no network here" in (tmp_path / "venv" / "install.log").read_text(encoding="utf-8")
    (tmp_path / "venv" / "stamp").write_text("another stamp\n", encoding="utf-8")
    bash(code, **settings)
    calls = (tmp_path / "pip.log").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 2, "a new environment is a new chance"


def test_oracles_are_those_of_the_test_extra():
    """Guards against two lists of what the tests need."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["test"]
    text = (ROOT / "scripts" / "environment.sh").read_text(encoding="utf-8")
    for requirement in ("batman-package>=2.5", "dask[distributed]>=2024.8"):
        assert requirement in extra and f'={requirement}"' in text


@pytest.mark.parametrize(
    "given, used",
    [("", ":backslashreplace"), ("ascii", "ascii:backslashreplace"), ("latin-1:strict", "latin-1:strict")],
)
def test_scripts_print_on_any_terminal(given, used):
    """Guards against a help text with a σ that ends the script on a terminal that is not UTF-8."""
    assert bash("echo $PYTHONIOENCODING", PYTHONIOENCODING=given).stdout.strip() == used


def test_cdpath_and_a_missing_home_do_not_matter(tmp_path):
    """Guards against a root folder of two lines (with CDPATH, `cd` prints where it goes) and 'HOME: unbound
    variable'."""
    code = "source scripts/environment.sh; unset HOME; echo $SPECTRAMIND_ROOT; _find_interpreter >/dev/null"
    done = subprocess.run(
        ["bash", "-uc", code],
        cwd=ROOT,
        env=os.environ | {"CDPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.stdout == f"{ROOT}\n" and "unbound" not in done.stderr
