"""The store: what is in a file is verified before it is used."""

from __future__ import annotations

from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.detector.source import source_fingerprints
from spectramind_kit.detector.store import LightCurveStore


def test_files_of_an_earlier_version_and_of_other_settings_are_stale(built, tmp_path):
    """Guards against a crash, or a light curve of unknown origin, where a store is older than the kit."""
    data, store = built
    files, tables = find_visits(data, "train")[0], read_shared_tables(data)
    other = LightCurveStore(tmp_path, store.settings_digest)
    curve = store.load(11, 0)
    curve.save(other.path(11, 0), extra={"source": "1a2b3c4d", "settings": store.settings_digest})
    assert other.is_current(files, tables) == (False, "stale (it was made by an earlier version of the kit)")
    curve.save(
        other.path(11, 0), extra={"source": source_fingerprints(files, tables), "settings": "0123456789ab"}
    )
    assert other.is_current(files, tables) == (False, "stale (it was made with other settings)")
    other.save(curve)
    assert other.is_current(files, tables) == (True, ""), "one that somebody made himself stays"
