"""Damages to the tables and files of a copied competition: each takes the data's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases._small_competition import stage

STARS = "test_star_info.csv"
Damage = Callable[[Path], object]


def edit(name: str, change: Callable[[str], str]) -> Damage:
    return lambda data: (data / name).write_text(change((data / name).read_text()))


def content(name: str, value: bytes) -> Damage:
    return lambda data: (data / name).write_bytes(value)


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    return lambda data: change(pd.read_csv(data / name)).to_csv(data / name, index=False)


def one_cell(text: str, *, row: int, column: int, value: str) -> str:
    lines = text.splitlines()
    cells = lines[row].split(",")
    cells[column] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines) + "\n"


def own_files(data: Path, *, planet: int | None = None) -> Path:
    """The folder of a test planet (the first), copied in place of its link."""
    link = data / "test" / str(stage().ids[0] if planet is None else planet)
    source = link.resolve()
    link.unlink()
    shutil.copytree(source, link)
    return link


def rewritten(change: Callable[[pd.DataFrame], pd.DataFrame], pattern: str) -> Damage:
    """The first test planet's files of that pattern, as another tool would write them."""

    def damage(data: Path) -> None:
        for path in sorted(own_files(data).rglob(pattern)):
            change(pd.read_parquet(path)).to_parquet(path, index=False)

    return damage


def change_files(folder: Path, pattern: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Signals (frames × 2, pixels) or maps (rows, columns) of a planet."""
    from spectramind_kit.simulator.writer import write_matrix

    for path in sorted(folder.glob(pattern)):
        write_matrix(path, np.ascontiguousarray(change(pd.read_parquet(path).to_numpy())))
