"""The house's style, as far as a machine can tell: ruff, lengths, and a test file for every module."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("spectramind_kit", "scripts", "tests", "notebooks")
LONGEST_LINE, LONGEST_FUNCTION = 110, 60


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def in_project(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")], ids=" ".join)
def test_ruff_has_nothing_to_say(arguments):
    """Guards against a style that each file has for itself; `scripts/style` mends what ruff can mend."""
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed: pip install -r requirements.txt")
    command = [sys.executable, "-m", "ruff", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lines_fit_on_a_screen():
    """Guards against lines that ruff leaves long: texts, comments, addresses."""
    long = [
        f"{in_project(path)}:{number}: {len(line)} columns"
        for path in python_files(*FOLDERS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert not long, "\n".join(long)


def test_functions_fit_in_a_head():
    """Guards against a function of which nobody sees both ends (ruff counts the arguments)."""
    long = []
    for path in python_files("spectramind_kit", "scripts"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                place = f"{in_project(path)}:{node.lineno}: {node.name}"
                long += [f"{place} has {lines} lines"] * (lines > LONGEST_FUNCTION)
    assert not long, "\n".join(long)


MODULES = [path for path in python_files("spectramind_kit") if path.stem not in ("__init__", "__main__")]


def test_every_module_has_its_test_file():
    """Guards against a module that is tested from afar, or not at all: the tests mirror the package."""
    wanted = {path: ROOT / "tests" / path.parent.relative_to(ROOT / "spectramind_kit") for path in MODULES}
    missing = [
        in_project(folder / f"test_{path.stem}.py")
        for path, folder in wanted.items()
        if not (folder / f"test_{path.stem}.py").is_file()
    ]
    assert not missing, "\n".join(missing)
