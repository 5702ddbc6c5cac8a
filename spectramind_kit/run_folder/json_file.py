"""A JSON file of a run: read whatever is left of it, write it whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectramind_kit.run_folder.logbook import plain
from spectramind_kit.whole_file import whole_file


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON file as a dict; empty when there is none, or it was cut short or is no such file."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: str | Path, content: dict[str, Any]) -> Path:
    """Write atomically: a reader sees the old file or the new one."""
    path = Path(path)
    with whole_file(path) as part:
        part.write_text(json.dumps(plain(content), indent=1, allow_nan=False), encoding="utf-8")
    return path
