"""What the saved pictures show: their captions, and of which results they are
(``diagnostics/figures.json``)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from spectramind_kit.whole_file import whole_file

_FILE_NAME = "figures.json"


@dataclass(frozen=True)
class SavedFigure:
    """Heading and caption of one picture; ``fingerprint`` is that of the run's results when it was drawn."""

    title: str
    caption: str
    empty_because: str
    fingerprint: str


def known_figures(diagnostics_dir: Path) -> dict[str, SavedFigure]:
    """File name → what is known of it; empty when nothing was drawn or the list was cut short."""
    try:
        entries = json.loads((diagnostics_dir / _FILE_NAME).read_text(encoding="utf-8"))
        return {name: SavedFigure(**entry) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember_figure(diagnostics_dir: Path, file_name: str, figure: SavedFigure) -> None:
    """Add or replace one entry, atomically."""
    entries = {name: asdict(one) for name, one in known_figures(diagnostics_dir).items()} | {
        file_name: asdict(figure)
    }
    with whole_file(diagnostics_dir / _FILE_NAME) as part:
        part.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
