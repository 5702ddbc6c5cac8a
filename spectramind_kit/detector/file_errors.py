"""What readers of files say in the same words when a file is missing or is not the competition's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from spectramind_kit.errors import DataError

COPY_AGAIN = "copy the file again"
COPY_SIGNAL = "copy the signal file again, or leave the planet out"
COPY_PLANET = "copy the planet's folder again, or leave the planet out"

odd_table = partial(DataError, fix="use the competition's file")  # a table that somebody has changed


def require_file(path: Path, what: str, *, expected: str, fix: str = COPY_PLANET, where: str = "") -> None:
    """Raise DataError ``what`` where there is no file ``path``; ``where``: whose it is."""
    if not path.is_file():
        where = f"{where}, {path}" if where else str(path)
        raise DataError(what, where=where, expected=expected, found="no such file", fix=fix)


def require_table(path: Path) -> None:
    """The same for a table that all planets share."""
    require_file(path, "a table of the competition is missing", expected=path.name, fix="check data_dir")
