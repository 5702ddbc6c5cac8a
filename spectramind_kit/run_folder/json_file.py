"""A JSON file of a run: read whatever is left of it, write it whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spectramind_kit.whole_file import whole_file


def read_json(path: str | Path, *, tell: Callable[[str], object] | None = None) -> dict[str, Any]:
    """A JSON file as a dict; empty, and ``tell`` hears why, where there is none or it is cut short."""
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        if tell is not None:
            tell(f"{path.name} is not JSON: {error}" if path.is_file() else f"no {path.name}")
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: str | Path, content: dict[str, Any]) -> Path:
    """Write atomically: a reader sees the old file or the new one."""
    path = Path(path)
    with whole_file(path) as part:
        part.write_text(json.dumps(plain(content), indent=1, allow_nan=False), encoding="utf-8")
    return path


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
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
