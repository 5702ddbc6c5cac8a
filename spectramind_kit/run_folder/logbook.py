"""``metrics.jsonl``: one JSON object a line, appended, so that a killed run leaves what it measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spectramind_kit.run_folder.json_file import plain


class Logbook:
    """Append-only JSON lines. Every record carries ``event``, ``stage`` and ``time`` (UTC, seconds)."""

    def __init__(self, path: str | Path, *, stage: str):
        self.path, self.stage = Path(path), stage
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **fields: Any) -> None:
        record = {"event": event, "stage": self.stage, "time": round(time.time(), 3), **plain(fields)}
        with open(self.path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(record, allow_nan=False) + "\n")


def read_logbook(
    path: str | Path, *, event: str | None = None, tell: Callable[[str], object] | None = None
) -> list[dict[str, Any]]:
    """Records of a log, in order; a line cut short by a kill is left out, and ``tell`` hears of it."""
    path = Path(path)
    tell = tell or (lambda text: None)
    if not path.is_file():
        tell(f"no {path.name}: no learning curve, no timings")
        return []
    records, broken = [], 0
    for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
        try:
            records.append(json.loads(line))
        except ValueError:
            broken += 1
    if broken:
        tell(f"{broken} lines of {path.name} are not JSON and were skipped")
    records = [record for record in records if isinstance(record, dict)]
    return records if event is None else [record for record in records if record.get("event") == event]
