"""The folder of a run: where the notebooks write, what they say of themselves, and how it is read again."""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "RunFolder": "folder",
    "find_earlier_runs": "folder",
    "read_json": "json_file",
    "write_json": "json_file",
    "Logbook": "logbook",
    "read_logbook": "logbook",
    "Predictions": "predictions",
    "read_predictions": "predictions",
    "RunResults": "results",
    "open_run": "results",
}
__all__ = [*_PUBLIC]
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
