"""The folder that `kaggle kernels push` takes: one notebook with its parameters, and its metadata."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.kaggle_release.kernels import ROOT, Kernel, kernel_metadata
from spectramind_kit.errors import DataError, in_words, nearest


def write_kernel_folder(
    kernel: Kernel,
    folder: Path,
    *,
    owner: str,
    parameters: Mapping[str, Any] | None = None,
    root: Path = ROOT,
) -> Path:
    """Fill ``folder`` with the notebook and ``kernel-metadata.json``, as `kaggle kernels push -p` takes them.

    ``parameters``: values for the notebook's parameters cell, which are checked already. Raises DataError
    when the notebook is missing or is not one.
    """
    metadata = kernel_metadata(kernel, owner=owner, code_file=Path(kernel.notebook).name)
    notebook = read_notebook(root / kernel.notebook)
    if parameters:
        _set_parameters(notebook, parameters)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((metadata["code_file"], notebook), ("kernel-metadata.json", metadata)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / str(name)).write_text(text, encoding="utf-8")
    return folder


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook as JSON; DataError where there is none."""
    if not path.is_file():
        fix = nearest(path.name, [p.name for p in path.parent.glob("*.ipynb")])
        raise DataError("the notebook does not exist", where=str(path), fix=fix)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("the file is not a notebook", where=str(path), found=in_words(error)) from error
    return notebook


def _set_parameters(notebook: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write the values into the parameters cell, in place of the defaults; comments stay."""
    tagged = [c for c in notebook["cells"] if "parameters" in c.get("metadata", {}).get("tags", ())]
    for cell in tagged[:1]:
        cell["source"] = _assigned("".join(cell["source"]), values)


def _assigned(source: str, values: Mapping[str, Any]) -> str:
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        target = getattr(node, "target", None) or getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and target.id in values:
            first, last, old = node.lineno - 1, node.end_lineno, node.value
            before = lines[first].encode()[: old.col_offset].decode()  # ast counts bytes
            after = lines[last - 1].encode()[old.end_col_offset :].decode()
            lines[first:last] = [f"{before}{values[target.id]!r}{after}"]
    return "".join(lines)
