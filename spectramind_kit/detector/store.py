"""The store of light curves: one verified file per visit, which knows what it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.light_curve import DELETE, LightCurve, load_with_extra
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import SharedTables
from spectramind_kit.detector.source import source_changes
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_some

_CHECKS_AT_A_TIME = 8  # a check waits for the disk (or for Kaggle's mount) more than it computes
_NAME = re.compile(r"^(\d+)_(\d+)\.npz$")


class LightCurveStore:
    """Light curves of many visits under ``<root>/<settings digest>/<planet>_<visit>.npz``.

    Other settings have another digest, so another folder; each file carries the fingerprints of what it was
    made from (`detector.source`): a stale light curve is never mistaken for a fresh one.
    """

    def __init__(self, root: str | Path, settings_digest: str | DetectorSettings | None = None):
        if settings_digest is None:
            settings_digest = DetectorSettings()
        self.settings_digest = settings_digest if isinstance(settings_digest, str) else settings_digest.digest
        self.root = Path(root)
        self.folder = self.root / self.settings_digest

    def __repr__(self) -> str:
        return f"LightCurveStore({str(self.root)!r}, settings_digest={self.settings_digest!r})"

    def __len__(self) -> int:
        return len(self.visits())

    def path(self, planet_id: int, visit: int) -> Path:
        return self.folder / f"{planet_id}_{visit}.npz"

    def visits(self) -> list[tuple[int, int]]:
        """(planet_id, visit) of every file, sorted."""
        if not self.folder.is_dir():
            return []
        matches = [_NAME.match(path.name) for path in self.folder.iterdir()]
        return sorted((int(match[1]), int(match[2])) for match in matches if match)

    def has(self, planet_id: int, visit: int) -> bool:
        return self.path(planet_id, visit).is_file()

    def load(self, planet_id: int, visit: int) -> LightCurve:
        """Read and verify one. Raises DataError: not there, damaged, or the file of another visit."""
        return self._load(planet_id, visit)[0]

    def save(self, curve: LightCurve, *, source: Mapping[str, str] | None = None) -> Path:
        """Write atomically. ``source``: fingerprints of what it came from (`source_fingerprints`)."""
        path = self.path(curve.planet_id, curve.visit)
        curve.save(path, extra={"source": dict(source or {}), "settings": self.settings_digest})
        return path

    def is_current(self, files: VisitFiles, tables: SharedTables | None = None) -> tuple[bool, str]:
        """Whether a visit's light curve can be used, and why not: absent (no reason), damaged or stale.

        ``tables``: the shared ones (`read_shared_tables`); without them only the visit's files are compared.
        """
        if not self.has(files.planet_id, files.visit):
            return False, ""
        try:
            _, extra = self._load(files.planet_id, files.visit)
        except DataError as error:
            return False, f"damaged ({error.found})"
        if extra.get("settings", self.settings_digest) != self.settings_digest:
            return False, "stale (it was made with other settings)"
        reason = source_changes(extra.get("source"), files, tables)
        return (False, f"stale ({reason})") if reason else (True, "")

    def check(
        self, visits: Sequence[VisitFiles], tables: SharedTables | None = None
    ) -> dict[VisitFiles, tuple[bool, str]]:
        """`is_current` of many visits, several at a time."""
        with ThreadPoolExecutor(_CHECKS_AT_A_TIME) as pool:
            return dict(zip(visits, pool.map(lambda files: self.is_current(files, tables), visits)))

    def _load(self, planet_id: int, visit: int) -> tuple[LightCurve, dict[str, Any]]:
        path = self.path(planet_id, visit)
        curve, extra = load_with_extra(path)
        if (curve.planet_id, curve.visit) != (planet_id, visit):
            what, found = "a light curve file belongs to another visit", f"{curve.planet_id}_{curve.visit}"
            raise DataError(what, where=str(path), expected=f"{planet_id}_{visit}", found=found, fix=DELETE)
        return curve, extra


def say_stale(reasons: Mapping[VisitFiles, str], *, whose: str = "the stored light curve") -> None:
    """A line for each visit whose light curve is computed again, and why; after ten of them a count."""
    lines = [f"{files.label}: {whose} is {reason}; it is computed again" for files, reason in reasons.items()]
    say_some(lines, rest="more visits, for reasons of the same kind")
