"""docs/architecture.md against the code: a page that names what is gone is worse than none."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("draw_architecture", ROOT / "docs/figures/draw_architecture.py")
drawing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(drawing)
ROWS = drawing.steps()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_every_function_is_in_a_file_of_its_row(row):
    """Guards against steps that moved: a function is in one of the files, a file has one of the functions."""
    _, _, functions, files = row
    modules = [importlib.import_module(f"spectramind_kit.{f[:-3].replace('/', '.')}") for f in files]
    for function in functions:
        homes = [m for m in modules if getattr(getattr(m, function, None), "__module__", "") == m.__name__]
        assert homes, f"{function} is in none of {files}"
        modules = [m for m in modules if m not in homes] + homes
    used = {getattr(m, f).__module__ for m in modules for f in functions if hasattr(m, f)}
    assert used >= {m.__name__ for m in modules}, "a file of the row defines none of its functions"


def test_every_file_and_room_that_the_page_names_is_there():
    """Guards the other tables."""
    package = ROOT / "spectramind_kit"
    text = drawing.PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_0-9/]+(?:\.py|/))`", text):
        assert (
            (package / name).exists()
            or (ROOT / name).exists()
            or name == "bundle/"
            or (package / "transit" / name).exists()
        ), name
    rooms = {path.name for path in package.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    assert rooms <= {name.rstrip("/") for name in re.findall(r"`([a-z_]+/?)`", text)}


def test_the_figure_is_that_of_the_page():
    """Guards against a figure that was drawn of an older page or package."""
    assert drawing.FIGURE.read_text(encoding="utf-8") == drawing.draw(), (
        "run docs/figures/draw_architecture.py"
    )
