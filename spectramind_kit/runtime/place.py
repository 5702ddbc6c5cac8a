"""Where the kit runs, and where the competition's data and the outputs of earlier kernels lie there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from spectramind_kit.errors import DataError

COMPETITION = "ariel-data-challenge-2025"
_KAGGLE_INPUT = "/kaggle/input"
_MARKERS = ("wavelengths.csv", "axis_info.parquet")  # one is enough: the other may be what is missing
_MAX_DEPTH = 6  # of what is attached, in folders


@dataclass(frozen=True)
class Place:
    """Where a notebook runs."""

    name: str  # kaggle-rerun, kaggle or local

    @property
    def on_kaggle(self) -> bool:
        return self.name != "local"


def where_am_i() -> Place:
    """Read the place from the variables that Kaggle sets."""
    if os.environ.get("KAGGLE_IS_COMPETITION_RERUN"):
        return Place("kaggle-rerun")
    return Place("kaggle" if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") else "local")


def find_data_dir(data_dir: str | Path = "") -> Path:
    """The competition's folder: ``data_dir`` if given, else wherever Kaggle mounts it.

    Kaggle has mounted competitions at ``<input>/<slug>`` and ``<input>/competitions/<slug>``; the folder is
    recognised by ``wavelengths.csv`` or ``axis_info.parquet`` and a ``train`` or ``test`` folder.
    """
    tried = [Path(data_dir).expanduser()] if str(data_dir) else [*_mounted(_kaggle_input())]
    for folder in tried:
        named = any((folder / name).is_file() for name in _MARKERS)
        if named and any((folder / split).is_dir() for split in ("train", "test")):
            return folder.resolve()
    raise DataError(
        "the competition's data were not found",
        where=", ".join(map(str, tried)),
        expected=f"a folder that holds {' or '.join(_MARKERS)}, and train/ or test/",
        found="none of these does",
        fix="pass data_dir, or attach the competition to the kernel",
    )


def find_inputs(name: str) -> list[Path]:
    """Files and folders called ``name`` (a glob pattern) in attached datasets and earlier kernels' outputs.

    Kaggle mounts them at ``<input>/<slug>``, ``<input>/datasets/<owner>/<slug>`` or
    ``<input>/notebooks/<owner>/<slug>``, so they are found by name. The competition's own planets are not
    searched, nor what lies inside a match. Returns sorted paths, all read-only; none found is an empty list.
    """
    root = _kaggle_input()
    found: list[Path] = []
    for folder, below, files in os.walk(root):
        if not {*_MARKERS}.isdisjoint(files):  # the competition: a thousand folders that hold nothing of ours
            below.clear()
            continue
        here = Path(folder)
        found += [here / entry for entry in (*below, *files) if fnmatch(entry, name)]
        deep = len(here.relative_to(root).parts) + 1 >= _MAX_DEPTH
        below[:] = [] if deep else [entry for entry in below if not fnmatch(entry, name)]
    return sorted(found)


def _kaggle_input() -> Path:
    """Where Kaggle attaches inputs; ``SPECTRAMIND_INPUT`` names another folder, to rehearse the rerun."""
    return Path(os.environ.get("SPECTRAMIND_INPUT") or _KAGGLE_INPUT)


def _mounted(root: Path) -> Iterator[Path]:
    """Folders that may be the competition's: the known mounts, then whatever holds one of its tables."""
    yield from (root / COMPETITION, root / "competitions" / COMPETITION)
    places = (f"{depth}/{name}" for depth in ("*", "*/*", "*/*/*") for name in _MARKERS)
    yield from sorted(path.parent for place in places for path in root.glob(place))
