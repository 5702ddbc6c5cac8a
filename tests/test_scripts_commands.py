"""The scripts: executable, valid shell, with a help text; the benchmark dispatcher; the test command."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.standing_environment import standing_environment

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
SCRIPTS.append(ROOT / ".ci" / "run")
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@pytest.fixture
def standing(tmp_path: Path) -> dict[str, str]:
    return standing_environment(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_executable_and_valid(script):
    """Guards against a lost mode bit and a syntax error in a branch that no test takes."""
    assert os.access(script, os.X_OK), "chmod +x"
    first = script.read_text(encoding="utf-8").splitlines()[0]
    assert first in ("#!/usr/bin/env bash", "#!/usr/bin/env python3")
    if first.endswith("bash"):
        done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if path.parent.name == "scripts"], ids=lambda path: path.name
)
def test_scripts_have_help(script, standing, tmp_path):
    """Guards against a script that starts working when asked what it does."""
    done = subprocess.run(
        [str(script), "--help"],
        cwd=tmp_path,
        env=standing,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower() and script.name in done.stdout


def test_the_test_command_passes_arguments_on(standing, tmp_path):
    """Guards against a test command that runs everything whatever it is asked for."""
    case = tmp_path / "test_two.py"
    case.write_text("import pytest\ndef test_quick(): pass\n@pytest.mark.slow\ndef test_long(): pass\n")
    for arguments, expected in (
        (["-q"], "1 passed, 1 deselected"),
        (["-q", "-m", "slow", "-k", "nothing"], "2 deselected"),
    ):
        done = subprocess.run(
            [str(ROOT / "scripts" / "test"), str(case), "-c", str(ROOT / "pyproject.toml"), *arguments],
            env=standing,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert expected in done.stdout, done.stdout + done.stderr
    assert done.returncode == 5, "pytest's exit code must reach the caller"


@pytest.mark.parametrize(
    "option, requirements, python",
    [
        ("--kaggle-pins", "requirements-kaggle.txt", "python3.12"),
        ("--kaggle-next-pins", "requirements-kaggle-next.txt", "python3.13"),
    ],
)
def test_each_set_of_pins_has_an_environment_of_its_own(standing, tmp_path, option, requirements, python):
    """Guards against the pins of one image tested in the environment of another."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts" / "test", scripts / "test")
    said = 'echo "$SPECTRAMIND_REQUIREMENTS $SPECTRAMIND_PREFER_PYTHON $SPECTRAMIND_VENV"; exit 0'
    (scripts / "environment.sh").write_text(said, encoding="utf-8")
    own = {name: value for name, value in standing.items() if name != "SPECTRAMIND_VENV"}
    command = ["bash", str(scripts / "test"), option]
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60)
    folder = tmp_path / f".venv-{requirements[13:-4]}"
    assert done.stdout.split() == [str(tmp_path / requirements), python, str(folder)], done.stderr
    assert (ROOT / requirements).is_file()


FAKE_RUFF = """
import os, sys
open(os.environ["CALLS"], "a").write(" ".join(sys.argv[1:]) + "\\n")
sys.exit(int(sys.argv[1] == os.environ["FAILS"]))
"""


@pytest.mark.parametrize(
    "arguments, fails, calls",
    [
        (["--check"], "nothing", ["check .", "format --check ."]),
        (["--check"], "check", ["check ."]),
        (["--check"], "format", ["check .", "format --check ."]),
        ([], "nothing", ["check --fix .", "format ."]),
        (["--chek"], "nothing", []),
    ],
)
def test_the_check_of_the_style_changes_nothing(standing, tmp_path, arguments, fails, calls):
    """Guards against `--check` that goes on to mend files where a lint fails, and passes."""
    (tmp_path / "ruff").mkdir()
    (tmp_path / "ruff" / "__main__.py").write_text(FAKE_RUFF, encoding="utf-8")
    for empty in (tmp_path / "ruff" / "__init__.py", tmp_path / "calls"):
        empty.touch()
    own = {"PYTHONPATH": str(tmp_path), "CALLS": str(tmp_path / "calls"), "FAILS": fails}
    command = ["bash", str(ROOT / "scripts" / "style"), *arguments]
    done = subprocess.run(command, env=standing | own, capture_output=True, text=True, timeout=60)
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == calls
    assert (done.returncode == 0) == (fails == "nothing" and arguments != ["--chek"])


def test_what_is_skipped_is_said_in_one_line(standing, tmp_path):
    """Guards against oracles that never run: a newcomer's 35 skipped tests were 35 lines among hundreds."""
    case = tmp_path / "test_skips.py"
    case.write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('k', range(7))\ndef test_a(k): pytest.importorskip('no_such_oracle')\n"
        "@pytest.mark.skip(reason='no files')\ndef test_b(): pass\n",
        encoding="utf-8",
    )
    command = [str(ROOT / "scripts" / "test"), str(case), "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "-p", "tests.conftest"], env=standing, capture_output=True, encoding="utf-8", timeout=120
    )
    lines = [line for line in done.stdout.splitlines() if "no_such_oracle" in line]
    assert lines == [
        "skipped: 7 × could not import 'no_such_oracle': No module named 'no_such_oracle'; 1 × no files"
    ], done.stdout


@pytest.fixture
def dispatcher(tmp_path, monkeypatch):
    """The dispatcher, over a folder with two benchmarks of this test's own."""
    spec = importlib.util.spec_from_file_location(
        "benchmark_dispatcher", ROOT / "scripts" / "benchmarks" / "__main__.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "detector.py").write_text(
        '"""Frames per second."""\ndef run(*, quick):\n'
        '    return {"quick": quick, "seconds": {"mean": 0.5}}\n'
    )
    (folder / "broken.py").write_text("")
    (folder / "_shared.py").write_text("raise SystemExit('a benchmark beginning with an underscore is none')")
    monkeypatch.setattr(module, "FOLDER", folder)
    monkeypatch.setattr(module.benchmark_names, "__defaults__", (folder,))
    monkeypatch.setattr(module.load_benchmark, "__defaults__", (folder,))
    return module


def test_benchmarks_write_their_figures(dispatcher, tmp_path, capsys):
    """Guards against figures that are printed and lost, or lose their names."""
    assert dispatcher.main(["detector", "--quick", "--json", str(tmp_path / "a" / "figures.json")]) == 0
    assert json.loads((tmp_path / "a" / "figures.json").read_text()) == {
        "quick": True,
        "seconds": {"mean": 0.5},
    }
    out = capsys.readouterr().out
    assert "seconds.mean" in out and "0.5" in out


def test_an_unknown_benchmark_names_the_nearest(dispatcher, capsys):
    """Guards against a traceback for a typing error, and a benchmark without run() passing for one."""
    assert dispatcher.main(["detectr"]) == 2
    assert "did you mean 'detector'?" in capsys.readouterr().err
    assert dispatcher.main(["broken"]) == 2
    assert "define run(" in capsys.readouterr().err
    assert dispatcher.benchmark_names() == ["broken", "detector"]
    with pytest.raises(SystemExit) as ended:
        dispatcher.main(["--help"])
    assert ended.value.code == 0 and "Frames per second." in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", sorted((ROOT / "scripts" / "benchmarks").glob("[!_]*.py")), ids=lambda path: path.stem
)
def test_each_benchmark_can_be_dispatched(path):
    """Guards against a benchmark that the dispatcher lists and cannot call."""
    import ast

    tree = ast.parse(path.read_text(encoding="utf-8"))
    (run,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    names = [argument.arg for argument in (*run.args.args, *run.args.kwonlyargs)]
    assert "quick" in names and ast.get_docstring(tree), (
        "run(*, quick) and a docstring whose first line is listed"
    )
