"""A CSV table of planets as people really have it: one bad byte, cell or row costs itself, and is told.

Cells are read as text and turned into numbers in `planet_rows`, so that no reader's guess of a column's type
decides: a ``--`` in one row would make a whole column text.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spectramind_kit.detector.file_errors import COPY_AGAIN, require_table
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str], None]  # is given every finding, in a plain sentence that names the file

_SEPARATORS = (",", ";", "\t")


def read_cells(path: str | Path, *, tell: Tell = say_once) -> pd.DataFrame:
    """Every cell of a CSV file as stripped text, columns by their names, rows without any content left out.

    Takes UTF-8 (with or without a byte order mark), UTF-16; commas, semicolons (with decimal commas) or tabs.

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
            fix=COPY_AGAIN,
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
        tell(f"{path.name}: {which_ones(long, 'row')} with more cells than there are columns, left out")
    body = [row[:width] + [""] * (width - len(row)) for row in body if not any(row[width:])]
    filled = [row for row in body if any(row)]
    blank = len(body) - len(filled)
    if blank:
        tell(f"{path.name}: {blank} empty row{'s' if blank > 1 else ''} left out")
    table = pd.DataFrame(filled, columns=pd.Index(names, dtype=object), dtype=object)
    return _without_twins(table, path, tell)


def _split(line: str, separator: str) -> list[str]:
    """Line by line, so that a quotation mark without its twin takes no other row with it."""
    if '"' in line:
        with suppress(csv.Error, StopIteration):
            return next(csv.reader([line], delimiter=separator))
    return line.split(separator)


def _text(path: Path, tell: Tell) -> str:
    require_table(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        what, fix = "a table cannot be read", "check its permissions"
        raise DataError(what, where=str(path), found=str(error), fix=fix) from error
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
            what, fix = "a column stands twice with different cells", "remove one of the two"
            raise DataError(what, where=str(path), found=name, fix=fix)
        tell(f"{path.name}: the column {name} stands twice, with the same cells")
    return table.loc[:, ~table.columns.duplicated()]


def which_ones(items: Sequence[object], noun: str) -> str:
    """``rows 3, 7``, or the first five and how many more."""
    return f"{noun}{'s' if len(items) > 1 else ''} {first_few([str(i) for i in items])}"


def first_few(found: Sequence[str], count: int = 5) -> str:
    """The first ``count``, and how many more there are."""
    rest = len(found) - count
    return ", ".join(found[:count]) + (f" and {rest} more" if rest > 0 else "")
