"""`spectramind_kit.notebook`: parameters are checked before a notebook runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from spectramind_kit import notebook
from spectramind_kit.errors import ConfigError, DataError

PARAMETERS = """data_dir: str = ""  # where the data are
profile: str = "smoke"
seed: int = 0
budget_hours: float = 8.5
overrides: list[str] = []
fast: bool = False
plain = 3"""


@pytest.fixture
def path(tmp_path):
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from pathlib import Path\nPath('result.txt').write_text(repr((data_dir, seed, budget_hours, "
            "overrides, fast, plain)))"
        ),
        nbformat.v4.new_code_cell("print('seed is', seed)\nassert seed != 7, 'an unlucky seed'"),
    ]
    content = nbformat.v4.new_notebook(
        cells=cells,
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(content, tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


def test_parameters_are_read_with_their_types(path):
    """Guards against a type lost on the way from the notebook's annotations."""
    declared = notebook.notebook_parameters(path)
    assert {name: parameter.kind for name, parameter in declared.items()} == {
        "data_dir": "str",
        "profile": "str",
        "seed": "int",
        "budget_hours": "float",
        "overrides": "list",
        "fast": "bool",
        "plain": "int",
    }
    assert declared["data_dir"].help == "where the data are"


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("seed", "3", 3),
        ("budget_hours", "2", 2.0),
        ("fast", "true", True),
        ("fast", "0", False),
        ("data_dir", "12", "12"),
        ("plain", "4", 4),
        ("overrides", "[]", []),
        ("overrides", "a=1,b=2", ["a=1", "b=2"]),
        ("overrides", "['a=[1,2]']", ["a=[1,2]"]),
    ],
)
def test_texts_become_values(path, name, text, value):
    """Guards against a folder called 12 that becomes a number, and an int where the notebook divides by a
    float."""
    read = notebook.read_value(text, notebook.notebook_parameters(path)[name])
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    "values, word",
    [
        ({"sed": 1}, "did you mean 'seed'"),
        ({"seed": "abc"}, "expected: int"),
        ({"seed": True}, "expected: int"),
        ({"fast": "maybe"}, "expected: bool"),
        ({"seed": 1.5}, "expected: int"),
        ({"overrides": 3}, "expected: list"),
    ],
)
def test_a_wrong_parameter_is_an_error(path, values, word):
    """Guards against papermill's habit: it warns about an unknown parameter and runs with the default."""
    with pytest.raises(ConfigError, match=word):
        notebook.check_parameters(path, values)


def test_a_wrong_override_is_an_error(path):
    """Guards against a misspelt setting that is found out after an hour, or never."""
    with pytest.raises(ConfigError, match="train.epochs"):
        notebook.check_parameters(path, {"overrides": ["train.epoch=3"], "profile": "smoke"})
    with pytest.raises(ConfigError, match="smoke"):
        notebook.check_parameters(path, {"overrides": ["train.epochs=3"], "profile": "smokey"})
    assert notebook.check_parameters(path, {"overrides": ["train.epochs=3"]}) == {
        "overrides": ["train.epochs=3"]
    }


@pytest.mark.parametrize(
    "values, word",
    [
        ({"budget_hours": "-1"}, "above 0"),
        ({"budget_hours": 0}, "above 0"),
        ({"budget_hours": "1e999"}, "finite"),
        ({"budget_hours": float("nan")}, "finite"),
        ({"seed": "-1"}, "seed"),
        ({"seed": 2**70}, "seed"),
        ({"overrides": ["train.epochs=ten"]}, "whole number"),
        ({"overrides": ["data.airs_rows=8:24"]}, "8, 24"),
        ({"overrides": ["model.size.width=33"]}, "divide"),
        ({"overrides": ["model.size.width=-8"]}, "model"),
        ({"profile": "smokey"}, "smoke"),
    ],
)
def test_a_value_that_makes_no_run_is_an_error(path, values, word):
    """Guards against `train.epochs=ten`, which passed this check and ended the run after light curves and
    anchors."""
    with pytest.raises(ConfigError, match=word):
        notebook.check_parameters(path, values)


def test_the_check_alone_runs_nothing(path, tmp_path, capfd):
    """Guards against `scripts/run` simulating for a minute before it finds a typing error."""
    out = ["--out", str(tmp_path / "out")]
    assert notebook.main([str(path), "--check", "-o", "train.epochs=ten", *out]) == 2
    assert "whole number" in capfd.readouterr().err
    assert notebook.main([str(path), "--check", "-p", "seed=5", *out]) == 0
    assert not (tmp_path / "out").exists() and not (tmp_path / "result.txt").exists()


def test_a_file_that_is_no_notebook_is_an_error(tmp_path, path):
    """Guards against an nbformat traceback."""
    with pytest.raises(DataError, match="did you mean .*small.ipynb"):
        notebook.notebook_parameters(tmp_path / "smal.ipynb")
    (tmp_path / "text.ipynb").write_text("no json")
    with pytest.raises(DataError, match="not a notebook"):
        notebook.notebook_parameters(tmp_path / "text.ipynb")


def test_a_notebook_runs_with_its_parameters(path, tmp_path, capfd):
    """Guards against parameters that do not arrive, a wrong working folder, and cells whose output is not
    shown."""
    work = tmp_path / "work"
    work.mkdir()
    given = ["-p", "seed=5", "-p", "fast=yes", "-p", "data_dir=somewhere"]
    assert notebook.main([str(path), *given, "--out", str(tmp_path / "out"), "--cwd", str(work)]) == 0
    assert (work / "result.txt").read_text() == "('somewhere', 5, 8.5, [], True, 3)"
    executed = nbformat.read(tmp_path / "out" / "small.ipynb", as_version=4)
    shown = [output.get("text", "") for cell in executed.cells for output in cell.get("outputs", [])]
    assert any("seed is 5" in text for text in shown)
    assert "seed is 5" in capfd.readouterr().out


def test_a_failing_cell_leaves_the_executed_notebook(path, tmp_path, capfd):
    """Guards against a failed run of hours that leaves nothing to read."""
    out = ["--out", str(tmp_path / "out"), "--cwd", str(tmp_path)]
    assert notebook.main([str(path), "-p", "seed=7", *out]) == 1
    assert "an unlucky seed" in capfd.readouterr().err
    assert "an unlucky seed" in (tmp_path / "out" / "small.ipynb").read_text()


def test_a_typing_error_ends_before_anything_runs(path, tmp_path, capfd):
    """Guards against an hour spent before a misspelt parameter is noticed."""
    out = ["--out", str(tmp_path / "out"), "--cwd", str(tmp_path)]
    assert notebook.main([str(path), "-p", "budget_hour=1", *out]) == 2
    assert "did you mean 'budget_hours'?" in capfd.readouterr().err
    assert not (tmp_path / "out").exists() and not (tmp_path / "result.txt").exists()


@pytest.mark.parametrize("name", ["{x}", "{", "a {seed} b", "-dash", "50 % σ ж", "s3:", "-"])
def test_a_folder_may_have_any_name(path, tmp_path, monkeypatch, capfd, name):
    """Guards against papermill's habit of filling in `{parameter}` in paths (an unknown one ends the run
    after the checks), and of taking some names for streams or buckets."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    source = work / name / "source.ipynb"
    source.parent.mkdir()
    source.write_bytes(path.read_bytes())
    options = ["-p", f"data_dir={name}", "--out", f"./{name}/out", "--cwd", str(work / name)]
    status = notebook.main([*options, "--", f"{name}/source.ipynb"])
    assert status == 0, capfd.readouterr().err
    assert (work / name / "out" / "source.ipynb").is_file()
    assert (work / name / "result.txt").read_text(encoding="utf-8").startswith(f"({name!r}, 0")


def test_cells_that_print_signs_run_in_an_ascii_log(path, tmp_path):
    """Guards against UnicodeEncodeError from the log, which ends papermill in the middle of a notebook."""
    content = nbformat.read(path, as_version=4)
    content.cells[2].source = "import sys\nprint('σ ± 3 × ж')\nprint('σ', file=sys.stderr)"
    nbformat.write(content, path)
    command = [sys.executable, "-m", "spectramind_kit.notebook", str(path)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--cwd", str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert b"sigma +- 3 x " in done.stdout and b"sigma" in done.stderr


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Ctrl-C is a signal to a group on POSIX alone")
def test_ctrl_c_is_one_line(path, tmp_path):
    """Guards against the tracebacks of a kernel, of papermill and of asyncio as the answer to Ctrl-C."""
    content = nbformat.read(path, as_version=4)
    content.cells[1].source = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
    nbformat.write(content, path)
    command = [sys.executable, "-m", "spectramind_kit.notebook", str(path), "--out", str(tmp_path / "out")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **streams) as running:
        assert running.stdout.readline() == "begun\n"
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "stopped: run the same command again to go on\n")
