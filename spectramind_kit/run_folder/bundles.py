"""The bundles of trainings that a run can see, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from spectramind_kit.run_folder.json_file import read_json

BUNDLE = "bundle/bundle.json"
_NO_DATE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class FoundBundle:
    """A bundle as its ``bundle.json`` names itself; nothing else of it has been read."""

    folder: Path
    saved: datetime | None  # None where it says none: of an older kit, or damaged
    fingerprint: str

    @property
    def in_words(self) -> str:
        """Where it lies, of which date, and the start of its fingerprint."""
        date = f"saved {self.saved:%Y-%m-%d %H:%M:%S} UTC" if self.saved else "no date: older kit, or damaged"
        return f"{self.folder} ({date}; fingerprint {self.fingerprint[:12] or 'unknown'})"


def utc_now() -> str:
    """The present, as ``bundle.json`` keeps it: a file's own time does not survive a Kaggle dataset."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def find_bundles(folders: Iterable[Path]) -> list[FoundBundle]:
    """Those in ``folders``, newest first; without a date last, else in the order of the folders."""
    found = [_read(folder / BUNDLE) for folder in folders if (folder / BUNDLE).is_file()]
    return sorted(found, key=lambda bundle: bundle.saved or _NO_DATE, reverse=True)


def _read(path: Path) -> FoundBundle:
    content = read_json(path)
    try:
        saved = datetime.fromisoformat(content["saved"])
        saved = saved.astimezone(UTC) if saved.tzinfo else saved.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        saved = None
    return FoundBundle(path.parent, saved, str(content.get("fingerprint") or ""))
