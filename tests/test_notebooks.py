"""The notebooks' structure: short cells, each with its reason, parameters, nothing stored, one bootstrap
cell, nothing that belongs in the kit."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BOOTSTRAP = (ROOT / "notebooks" / "bootstrap_cell.py").read_text(encoding="utf-8").strip()
EXPECTED = ["00_wheels", "01_light_curves", "02_train", "03_submit", "04_diagnostics", "05_your_model"]
MOST_CELLS = 16  # one step of a visit, or one part of a training, is a cell: docs/decisions.md D119
YOUR_OWN = "your-own"  # tag of the one cell that holds a class, for the reader to change
PIPELINE = {
    "data_dir": "str",
    "work_dir": "str",
    "profile": "str",
    "seed": "int",
    "budget_hours": "float",
    "overrides": "list",
}


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path, *, bootstrap: bool = True) -> list[nbformat.NotebookNode]:
    return [
        cell
        for cell in read(path).cells
        if cell.cell_type == "code" and (bootstrap or cell.source.strip() != BOOTSTRAP)
    ]


def lines(source: str) -> list[str]:
    return [line for line in source.splitlines() if line.strip()]


def test_all_notebooks_are_there():
    """Guards against a notebook that was renamed: kernels, scripts and docs name them."""
    assert [path.stem for path in NOTEBOOKS] == EXPECTED


each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each
def test_a_notebook_is_valid_and_empty(path):
    """Guards against committed outputs, which hold personal paths and competition data."""
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    for cell in code_cells(path):
        assert not cell.outputs and cell.execution_count is None, "has stored outputs"
    assert read(path).metadata.kernelspec.name == "python3"


@each
def test_a_notebook_is_short(path):
    """Guards against logic that grows in a notebook, where no test reaches it."""
    cells = code_cells(path)
    assert len(cells) <= MOST_CELLS, f"{len(cells)} code cells"
    for cell in cells:
        most = 20 if cell.source.strip() == BOOTSTRAP else 15
        assert len(lines(cell.source)) <= most, f"{len(lines(cell.source))} lines: {cell.source[:60]!r}"
    for cell in cells:
        if YOUR_OWN in cell.metadata.get("tags", []):
            continue
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.ClassDef), f"class {node.name} belongs in the kit"
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 5, f"def {node.name} is longer than five lines"


@each
def test_a_notebook_begins_with_title_and_parameters(path):
    """Guards against a notebook that papermill cannot set, and against parameters that depend on one
    another."""
    cells = read(path).cells
    assert (
        cells[0].cell_type == "markdown"
        and cells[0].source.startswith("# ")
        and len(cells[0].source.splitlines()) >= 3
    ), "title and a paragraph"
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1 and tagged[0] is next(cell for cell in cells if cell.cell_type == "code"), (
        "the first code cell"
    )
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.AnnAssign), (
            "each parameter is annotated: papermill reads its type from there"
        )
        ast.literal_eval(statement.value)


@each
def test_a_notebook_has_the_one_bootstrap_cell(path):
    """Guards against five copies that drift apart."""
    found = [index for index, cell in enumerate(code_cells(path)) if cell.source.strip() == BOOTSTRAP]
    assert found == [1], "notebooks/bootstrap_cell.py is the source; it comes right after the parameters"


@each
def test_the_bootstrap_cell_is_folded(path):
    """Guards against twenty lines of paths between a reader and the first thing to see, in Jupyter or on
    Kaggle."""
    (cell,) = [cell for cell in code_cells(path) if cell.source.strip() == BOOTSTRAP]
    assert cell.metadata.get("_kg_hide-input") and cell.metadata["jupyter"]["source_hidden"]


@each
def test_a_step_says_what_and_why(path):
    """Guards against cells that a reader has to guess the purpose of, and against the same words twice."""
    cells = read(path).cells[2:]
    bare = [cell.source for before, cell in pairwise(cells) if {before.cell_type, cell.cell_type} == {"code"}]
    assert not bare, bare
    words = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert len(set(words)) == len(words)


@each
def test_a_notebook_installs_nothing_and_knows_no_paths(path):
    """Guards against `!pip` (no network at the rerun) and paths of one machine."""
    for cell in code_cells(path, bootstrap=False):
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), "a shell or magic line"
        assert "pip install" not in cell.source
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"(/[A-Za-z]|~|[A-Za-z]:\\)", node.value), (
                    f"an absolute path: {node.value!r}"
                )


@pytest.mark.parametrize("name", EXPECTED[1:])
def test_the_pipeline_shares_its_parameters(name):
    """Guards against a parameter that scripts/run passes and one notebook does not know."""
    from spectramind_kit.notebook import notebook_parameters

    declared = {
        name: parameter.kind
        for name, parameter in notebook_parameters(ROOT / "notebooks" / f"{name}.ipynb").items()
    }
    assert PIPELINE.items() <= declared.items()
