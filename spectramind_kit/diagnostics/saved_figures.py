"""``diagnostics/figures.json``: the captions of the saved pictures, and of which results they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from spectramind_kit.run_folder.json_file import read_json, write_json

_FILE_NAME = "figures.json"


@dataclass(frozen=True)
class SavedFigure:
    """What is known of one picture."""

    title: str
    caption: str = ""
    empty_because: str = ""  # why there is nothing to see; empty where there is
    fingerprint: str = ""  # of the run's results when it was drawn


def known_figures(diagnostics_dir: Path) -> dict[str, SavedFigure]:
    """File name → what is known of it; empty when nothing was drawn or the list was cut short."""
    try:
        return {name: SavedFigure(**entry) for name, entry in read_json(diagnostics_dir / _FILE_NAME).items()}
    except TypeError:  # entries of another kind
        return {}


def remember_figure(diagnostics_dir: Path, file_name: str, figure: SavedFigure) -> None:
    """Add or replace one entry, atomically."""
    entries = known_figures(diagnostics_dir) | {file_name: figure}
    write_json(diagnostics_dir / _FILE_NAME, {name: asdict(entries[name]) for name in sorted(entries)})
