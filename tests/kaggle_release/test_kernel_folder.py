"""`kaggle_release.kernel_folder`: the notebook that is sent is ours, with the parameters asked for."""

from __future__ import annotations

import json

import pytest

from scripts.kaggle_release.kernel_folder import write_kernel_folder
from scripts.kaggle_release.kernels import KERNELS, ROOT
from spectramind_kit.errors import DataError
from spectramind_kit.notebook import notebook_parameters


def test_a_missing_or_broken_notebook_is_an_error(tmp_path):
    """Guards against an empty kernel."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "02_trains.ipynb").write_text("{}")
    with pytest.raises(DataError, match="did you mean '02_trains.ipynb'"):
        write_kernel_folder(KERNELS["train"], tmp_path / "out", owner="me", root=tmp_path)
    (tmp_path / "notebooks" / "02_train.ipynb").write_text("not json")
    with pytest.raises(DataError, match="not a notebook"):
        write_kernel_folder(KERNELS["train"], tmp_path / "out", owner="me", root=tmp_path)


@pytest.mark.parametrize("name", KERNELS)
def test_parameters_take_the_place_of_the_defaults(tmp_path, name):
    """Guards against a kernel that runs for hours with the default, and against a lost comment or cell."""
    kernel = KERNELS[name]
    values = {"budget_hours": 2.5, "work_dir": "it's \u03c3"}
    folder = write_kernel_folder(kernel, tmp_path / name, owner="me", parameters=values)
    sent, own = folder / (ROOT / kernel.notebook).name, ROOT / kernel.notebook
    before, after = notebook_parameters(own), notebook_parameters(sent)
    assert after["budget_hours"].default == "2.5" and after["work_dir"].default == repr(values["work_dir"])
    assert {k: p.help for k, p in after.items()} == {k: p.help for k, p in before.items()}
    same = [entry.default for key, entry in after.items() if key not in values]
    assert same == [entry.default for key, entry in before.items() if key not in values]
    cells = [json.loads(path.read_text(encoding="utf-8"))["cells"] for path in (sent, own)]
    differ = [
        old for new, old in zip(*cells, strict=True) if "".join(new["source"]) != "".join(old["source"])
    ]
    assert [cell["metadata"]["tags"] for cell in differ] == [["parameters"]]


def test_a_default_of_several_lines_is_replaced_whole(tmp_path):
    """Guards against half a list left behind."""
    (tmp_path / "notebooks").mkdir()
    source = "packages: list = [\n    'a',\n    'b']  # σ\nseed = 1\n"
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source, "outputs": []}
    (tmp_path / KERNELS["wheels"].notebook).write_text(json.dumps({"cells": [cell]}))
    values = {"packages": ["c"], "seed": 2}
    write_kernel_folder(KERNELS["wheels"], tmp_path / "o", owner="me", parameters=values, root=tmp_path)
    (cell,) = json.loads((tmp_path / "o" / "00_wheels.ipynb").read_text(encoding="utf-8"))["cells"]
    assert cell["source"] == "packages: list = ['c']  # σ\nseed = 2\n"
