"""A run's folder that is used again for another data set: what it held is moved aside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spectramind_kit.run_folder.files import INTERMEDIATE, RESULTS
from spectramind_kit.runtime import say

# 03 may predict another data set's planets with this folder's bundle
_MAKING_STAGES = ("light_curves", "train")
_KNOWN_BY = 32  # train planets that a data set is recognised by


def train_planets(data_dir: Path) -> list[str]:
    """Names of the first planet folders of the train split, in order; empty without one."""
    try:
        names = [entry.name for entry in os.scandir(Path(data_dir) / "train") if entry.name.isdigit()]
    except OSError:
        return []
    return sorted(names)[:_KNOWN_BY]


def is_other_data(known: Any, data_dir: Path) -> bool:
    """Whether a data folder has none of the train planets that a run knows; added ones do not matter."""
    if not known or not train_planets(data_dir):
        return False
    return not any((Path(data_dir) / "train" / str(name)).is_dir() for name in known)


def set_aside(root: Path, *, stage: str, known: Any, data_dir: Path) -> None:
    """Move the results of another data set to ``earlier_data_<n>``, with a line.

    The notebook that is being executed stays where papermill writes it.
    """
    if stage not in _MAKING_STAGES or not is_other_data(known, data_dir):
        return
    target = root / f"earlier_data_{1 + sum(1 for _ in root.glob('earlier_data_*'))}"
    target.mkdir()
    for path in [*(root / name for name in (*RESULTS, *INTERMEDIATE)), *root.glob("*.ipynb")]:
        if path.exists() and not path.stem.endswith(stage):
            path.rename(target / path.name)
    say(f"this folder holds a run on other planets: all of it is moved to {target}, nothing of it is used")
