"""Numbers from a table's cells, one row for every planet; what contradicts itself is unknown, and told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.csv_table import Tell, first_few, read_cells, which_ones
from spectramind_kit.detector.file_errors import odd_table
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

Limits = Mapping[str, tuple[float, float]]

_EMPTY = ("", "nan", "na", "n/a", "null", "none")
_LARGEST_ID = 2**63 - 1


def read_planet_table(
    path: str | Path,
    columns: Sequence[str],
    *,
    limits: Limits | None = None,
    optional: Sequence[str] = (),
    tell: Tell = say_once,
) -> pd.DataFrame:
    """Numbers of planets: index the int planet_id, every id once, in the file's order; ``columns`` float64.

    A cell that is no finite number, or outside ``limits`` of its column (both ends allowed), is NaN. Rows of
    one planet are put together: where they agree, or only one has a number, that number stands; where they
    differ, nobody knows which is true, and the cell is NaN. Columns in ``optional`` may be absent and are NaN
    then. All of it is told.

    Raises
    ------
    DataError
        What `read_cells` raises; no planet_id, or a column that is needed and absent.
    """
    path = Path(path)
    cells = read_cells(path, tell=tell)
    if "planet_id" not in cells.columns:
        found = ", ".join(map(str, cells.columns[:5]))
        raise odd_table("no planet_id column", where=str(path), expected="planet_id", found=found)
    missing = [name for name in columns if name not in cells.columns]
    needed = [name for name in missing if name not in optional]
    if needed:
        expected = ", ".join(columns) if len(columns) <= 12 else f"{columns[0]} … {columns[-1]}"
        found = f"no {needed[0]}" + (f" (and {len(needed) - 1} more)" if len(needed) > 1 else "")
        raise odd_table("columns are missing", where=str(path), expected=expected, found=found)
    if missing:
        tell(f"{path.name}: no column {', '.join(missing)}; unknown for every planet")
    ids = [whole_number(text) for text in cells["planet_id"]]
    lost = [number for number, planet in enumerate(ids, start=1) if planet is None]
    if lost:
        tell(f"{path.name}: {which_ones(lost, 'row')} without a usable planet_id, left out")
    cells = cells[[planet is not None for planet in ids]]
    planets = np.array([planet for planet in ids if planet is not None], dtype=np.int64)
    values = numbers(cells, columns, limits=limits or {}, name=path.name, labels=planets, tell=tell)
    return _one_row_each(values, planets, columns, path.name, tell)


def whole_number(text: object) -> int | None:
    """A planet's number: ``1103775``, ``1103775.0`` or ``1.103775E+06``; None for anything else."""
    text = str(text).strip()
    if "_" in text:  # Python reads 11037751 into the 1103775_1 of a table with a row for each visit
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 <= value <= _LARGEST_ID or value != value.to_integral_value():
        return None
    return int(value)


def numbers(
    cells: pd.DataFrame,
    columns: Sequence[str],
    *,
    limits: Limits,
    name: str,
    labels: Sequence[object],
    tell: Tell,
) -> np.ndarray:
    """Cells (rows, columns) as float64; NaN where there is no finite number within the column's limits.

    ``name`` of the table and ``labels`` of the rows are for what is told.
    """
    values = np.full((len(cells), len(columns)), np.nan)
    empty, odd, outside = [], [], []
    for k, column in enumerate(columns):
        if column not in cells.columns:
            continue
        low, high = limits.get(column, (-math.inf, math.inf))
        for row, text in enumerate(cells[column]):
            value = _number(text)
            if text.lower() in _EMPTY:
                empty.append(f"planet {labels[row]} {column}")
            elif value is None:
                odd.append(f"planet {labels[row]} {column} {text[:20]!r}")
            elif not low <= value <= high:
                outside.append(f"planet {labels[row]} {column} {text[:20]} (expected {low:g} … {high:g})")
            else:
                values[row, k] = value
    unlikely = "outside the plausible range, not used"
    for what, found in (("empty", empty), ("no number", odd), (unlikely, outside)):
        if found:
            tell(f"{name}: {len(found)} cell{'s' if len(found) > 1 else ''} {what}: {first_few(found)}")
    return values


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _one_row_each(
    values: np.ndarray, planets: np.ndarray, columns: Sequence[str], name: str, tell: Tell
) -> pd.DataFrame:
    """One row for each planet, in the order of first appearance; NaN where rows of a planet differ."""
    import pandas as pd

    rows_of: dict[int, list[int]] = {}
    for row, planet in enumerate(planets.tolist()):
        rows_of.setdefault(planet, []).append(row)
    merged = np.full((len(rows_of), values.shape[1]), np.nan)
    agree, differ = [], []
    for k, (planet, rows) in enumerate(rows_of.items()):
        merged[k], clash = _merged(values[rows])
        if len(rows) > 1:
            (differ if clash else agree).append(planet)
    if agree:
        tell(
            f"{name}: {which_ones(sorted(agree), 'planet')} more than once, without contradiction; taken once"
        )
    if differ:
        tell(
            f"{name}: {which_ones(sorted(differ), 'planet')} more than once with different values; "
            "where they differ the value is unknown"
        )
    index = pd.Index(list(rows_of), name="planet_id", dtype="int64")
    return pd.DataFrame(merged, index=index, columns=list(columns))


def _merged(rows: np.ndarray) -> tuple[np.ndarray, bool]:
    """The number in each column on which all rows (N, C) that have one agree, else NaN; do some differ?"""
    if len(rows) == 1:
        return rows[0], False
    known = np.isfinite(rows)
    first = rows[known.argmax(axis=0), np.arange(rows.shape[1])]
    clash = (known & (rows != first)).any(axis=0)
    return np.where(clash, np.nan, first), bool(clash.any())
