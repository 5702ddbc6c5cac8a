"""What a light curve was made from: fingerprints of the visit's files and of the shared tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectramind_kit.detector.csv_table import first_few
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.shared_tables import SharedTables
from spectramind_kit.fingerprint import file_fingerprints, fingerprint, what_changed

_TABLES = ("axis_info", "adc_info", "wavelengths")


def source_fingerprints(files: VisitFiles, tables: SharedTables | None = None) -> dict[str, str]:
    """Fingerprint by name of each of the visit's files that is there, and of the tables.

    The ten calibration files count whole, the two signals in samples: about 5 MB a visit at full cadence.
    """
    found = {
        path.relative_to(files.folder).as_posix(): value
        for path, value in file_fingerprints(files.all_files()).items()
    }
    if tables is not None:  # an adc_info with a row for each planet counts by that planet's row
        adc = tables.adc.by_planet.get(files.planet_id, tables.adc).values
        used = (tables.axis, adc, tables.wavelength_um)
        found |= {name: fingerprint(table) for name, table in zip(_TABLES, used)}
    return found


def source_changes(stored: Any, files: VisitFiles, tables: SharedTables | None = None) -> str:
    """Why a light curve that carries ``stored`` is not of these files and tables; empty where it is.

    A visit of which no file is there keeps its light curve, so that a kernel which has the store but not the
    raw data still gets an answer; its tables are compared all the same. One that was saved without a source
    is nobody's: it stays.
    """
    if not stored:
        return ""
    if not isinstance(stored, Mapping):
        return "it was made by an earlier version of the kit"
    now = source_fingerprints(files, tables)
    if not any(name not in _TABLES for name in now):
        stored = {name: value for name, value in stored.items() if name in _TABLES}
    if tables is None:
        stored = {name: value for name, value in stored.items() if name not in _TABLES}
    changed = what_changed(stored, now)
    if not changed:
        return ""
    return f"{first_few(changed, 3)} {'has' if len(changed) == 1 else 'have'} changed"
