"""A CSV table of planets as people really have it: one bad byte, cell or row costs itself, and is told.

Cells are read as text and turned into numbers here, so that no reader's guess of a column's type decides: a
``--`` in one row would make a whole column text, a doubled row would move all that follow it.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str], None]  # is given every finding, in a plain sentence that names the file
Limits = Mapping[str, tuple[float, float]]

_EMPTY = ("", "nan", "na", "n/a", "null", "none")
_LARGEST_ID = 2**63 - 1
_SHOWN = 5
_SEPARATORS = (",", ";", "\t")


def read_cells(path: str | Path, *, tell: Tell = say_once) -> pd.DataFrame:
    """Every cell of a CSV file as stripped text, columns by their names, rows without any content left out.

    Takes UTF-8 (with or without a byte order mark) and UTF-16; commas, semicolons (then with decimal commas)
    or tabs.

    Raises
    ------
    DataError
        No such file, one that cannot be read, that is empty, or that has a column twice with different cells.
    """
    import pandas as pd

    path = Path(path)
    lines = [line for line in re.split(r"\r\n|\n|\r", _text(path, tell)) if line.strip()]
    remarks = sum(line.startswith("#") for line in lines)
    if remarks:
        tell(f"{path.name}: lines that begin with # left out ({remarks})")
        lines = [line for line in lines if not line.startswith("#")]
    if not lines:
        raise DataError(
            "the table is empty",
            where=str(path),
            expected="a line of column names, then the rows",
            found=f"{path.stat().st_size} bytes",
            fix="copy the file again",
        )
    separator = max(_SEPARATORS, key=lines[0].count)
    if separator != ",":
        tell(f"{path.name}: columns are separated by {separator!r}, decimal commas are read as points")
    rows = [[cell.strip().strip("\"'").strip() for cell in _split(line, separator)] for line in lines]
    if separator != ",":
        rows[1:] = [[cell.replace(",", ".") for cell in row] for row in rows[1:]]
    names, body = rows[0], rows[1:]
    width = len(names)
    long = [number for number, row in enumerate(body, start=2) if any(row[width:])]
    if long:
        tell(f"{path.name}: {_some(long, 'row')} with more cells than there are columns, left out")
    body = [row[:width] + [""] * (width - len(row)) for row in body if not any(row[width:])]
    blank = sum(not any(row) for row in body)
    if blank:
        tell(f"{path.name}: {blank} empty row{'s' if blank > 1 else ''} left out")
    table = pd.DataFrame(
        [row for row in body if any(row)], columns=pd.Index(names, dtype=object), dtype=object
    )
    return _without_twins(table, path, tell)


def read_planet_table(
    path: str | Path,
    columns: Sequence[str],
    *,
    limits: Limits | None = None,
    optional: Sequence[str] = (),
    tell: Tell = say_once,
) -> pd.DataFrame:
    """Numbers of planets: index the int planet_id, every id once, in the file's order; ``columns`` as
    float64.

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
        raise DataError(
            "no planet_id column",
            where=str(path),
            expected="planet_id",
            fix="use the competition's file",
            found=", ".join(map(str, cells.columns[:5])),
        )
    missing = [name for name in columns if name not in cells.columns]
    needed = [name for name in missing if name not in optional]
    if needed:
        raise DataError(
            "columns are missing",
            where=str(path),
            expected=_abridged(columns),
            fix="use the competition's file",
            found=f"no {needed[0]}" + (f" (and {len(needed) - 1} more)" if len(needed) > 1 else ""),
        )
    if missing:
        tell(f"{path.name}: no column {', '.join(missing)}; unknown for every planet")
    ids = [whole_number(text) for text in cells["planet_id"]]
    lost = [number for number, planet in enumerate(ids, start=1) if planet is None]
    if lost:
        tell(f"{path.name}: {_some(lost, 'row')} without a usable planet_id, left out")
    cells = cells[[planet is not None for planet in ids]]
    planets = np.array([planet for planet in ids if planet is not None], dtype=np.int64)
    values = numbers(cells, columns, limits=limits or {}, name=path.name, labels=planets, tell=tell)
    return _one_row_each(values, planets, columns, path.name, tell)


def whole_number(text: object) -> int | None:
    """A planet's number from a cell: ``1103775``, ``1103775.0`` or ``1.103775E+06``; None for anything
    else."""
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
    ``labels`` name the rows."""
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
    for what, found in (
        ("empty", empty),
        ("no number", odd),
        ("outside the plausible range, not used", outside),
    ):
        if found:
            tell(f"{name}: {len(found)} cell{'s' if len(found) > 1 else ''} {what}: {_first(found)}")
    return values


def _split(line: str, separator: str) -> list[str]:
    """Line by line, so that a quotation mark without its twin takes no other row with it."""
    if '"' in line:
        with suppress(csv.Error, StopIteration):
            return next(csv.reader([line], delimiter=separator))
    return line.split(separator)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _text(path: Path, tell: Tell) -> str:
    if not path.is_file():
        raise DataError(
            "a table of the competition is missing",
            where=str(path),
            expected=path.name,
            found="no such file",
            fix="check data_dir",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "a table cannot be read", where=str(path), found=str(error), fix="check its permissions"
        ) from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        tell(
            f"{path.name}: not UTF-8 at byte {error.start} ({content[error.start]:#04x}); "
            "cells with such bytes count as unknown"
        )
        text = content.decode("utf-8", errors="replace")
    return text.replace("\0", "�")


def _without_twins(table: pd.DataFrame, path: Path, tell: Tell) -> pd.DataFrame:
    twice = sorted({str(name) for name in table.columns[table.columns.duplicated()] if name})
    for name in twice:
        same = table.loc[:, name]
        if not same.eq(same.iloc[:, 0], axis=0).all(axis=None):
            raise DataError(
                "a column stands twice with different cells",
                where=str(path),
                found=name,
                fix="remove one of the two",
            )
        tell(f"{path.name}: the column {name} stands twice, with the same cells")
    return table.loc[:, ~table.columns.duplicated()]


def _one_row_each(
    values: np.ndarray, planets: np.ndarray, columns: Sequence[str], name: str, tell: Tell
) -> pd.DataFrame:
    import pandas as pd

    order, first, where = {}, [], []
    for row, planet in enumerate(planets.tolist()):
        if planet not in order:
            order[planet] = len(first)
            first.append(row)
        where.append(order[planet])
    merged = values[first]
    agree, differ = set(), set()
    for row, target in enumerate(where):
        if row == first[target]:
            continue
        old, new = merged[target], values[row]
        clash = np.isfinite(old) & np.isfinite(new) & (old != new)
        merged[target] = np.where(np.isfinite(old), old, new)
        if clash.any():
            merged[target, clash] = np.nan
            differ.add(int(planets[row]))
        else:
            agree.add(int(planets[row]))
    for planet in differ:  # a third row must not fill what two others disagree about
        rows = values[planets == planet]
        clash = np.array([len(set(column[np.isfinite(column)].tolist())) > 1 for column in rows.T])
        merged[order[planet], clash] = np.nan
    if agree - differ:
        tell(
            f"{name}: {_some(sorted(agree - differ), 'planet')} more than once, without contradiction; "
            "taken once"
        )
    if differ:
        tell(
            f"{name}: {_some(sorted(differ), 'planet')} more than once with different values; "
            "where they differ the value is unknown"
        )
    return pd.DataFrame(
        merged, index=pd.Index(planets[first], name="planet_id", dtype="int64"), columns=list(columns)
    )


def _some(items: Sequence[object], noun: str) -> str:
    return f"{noun}{'s' if len(items) > 1 else ''} {_first([str(i) for i in items])}"


def _first(found: Sequence[str]) -> str:
    rest = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _abridged(columns: Sequence[str]) -> str:
    return ", ".join(columns) if len(columns) <= 12 else f"{columns[0]} … {columns[-1]}"
