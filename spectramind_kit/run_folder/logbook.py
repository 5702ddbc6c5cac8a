"""``metrics.jsonl``: one JSON object a line, appended and flushed, so that a killed run leaves what it
measured."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Logbook:
    """Append-only JSON lines. Every record carries ``event``, ``stage`` and ``time`` (UTC, seconds)."""

    def __init__(self, path: str | Path, *, stage: str):
        self.path, self.stage = Path(path), stage
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **fields: Any) -> None:
        record = {"event": event, "stage": self.stage, "time": round(time.time(), 3), **plain(fields)}
        with open(self.path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(record, allow_nan=False) + "\n")


def read_logbook(path: str | Path, *, event: str | None = None) -> Iterator[dict[str, Any]]:
    """Records of a log, in order; a last line cut short by a kill is left out."""
    path = Path(path)
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if event is None or record.get("event") == event:
            yield record


def plain(value: Any) -> Any:
    """Arrays, tensors and NumPy scalars as plain Python; NaN and infinity as None, since JSON has neither."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)
