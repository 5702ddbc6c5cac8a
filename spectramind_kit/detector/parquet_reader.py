"""Which Parquet reader: polars where it works, else pyarrow; the other where one cannot decode a file."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import parent_process
from pathlib import Path
from typing import TypeVar

from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import NOT_INSTALLED, describe, why_not
from spectramind_kit.runtime import say_once

READERS = ("polars", "pyarrow")
Found = TypeVar("Found")


def reader_in_use(reader: str = "auto") -> str:
    """``polars`` or ``pyarrow``: what ``reader`` means here. Says once why an installed polars is not used.

    Raises
    ------
    DataError
        An unknown name, the one that was asked for does not work, or none of the two does; with the package's
        own error.
    """
    if reader in READERS:
        if why_not(reader):
            raise DataError(
                f"{reader} was asked for and does not work",
                where=f"reader={reader}",
                found=why_not(reader),
                expected="a package that imports and reads Parquet",
                fix=f"pip install --force-reinstall {reader}, or reader='auto'; the files are not the cause",
            )
        return reader
    if reader != "auto":
        expected = "auto, polars or pyarrow"
        raise DataError("unknown Parquet reader", where="reader", found=repr(reader), expected=expected)
    if not why_not("polars"):
        return "polars"
    if why_not("pyarrow"):
        raise DataError(
            "no Parquet reader works here",
            expected="polars or pyarrow",
            found=f"polars: {why_not('polars')}; pyarrow: {why_not('pyarrow')}",
            fix="pip install --force-reinstall pyarrow; the files are not the cause",
        )
    why = why_not("polars")
    if why != NOT_INSTALLED and parent_process() is None:  # a worker's parent has said it
        say_once(f"polars is installed and does not work ({why}): Parquet files are read by pyarrow")
    return "pyarrow"


def read_with(
    read: Callable[[str], Found], path: Path, *, reader: str, what: str, expected: str, fix: str
) -> Found:
    """``read("polars")`` or ``read("pyarrow")``; with ``reader`` auto also the other, where the first raises.

    Raises
    ------
    DataError
        What ``read`` itself found wrong with the content, at once; or ``what`` with each reader's cause, when
        none can decode.
    """
    first = reader_in_use(reader)
    others = [name for name in READERS if name != first and reader == "auto" and not why_not(name)]
    causes: list[str] = []
    for name in (first, *others):
        try:
            found = read(name)
        except (DataError, MemoryError, KeyboardInterrupt, GeneratorExit, SystemExit):
            raise
        except BaseException as error:
            causes.append(f"{name}: {describe(error)}")
            continue
        if causes:
            say_once(f"{path}: {causes[0]}; {name} reads the file")
        return found
    raise DataError(what, where=str(path), expected=expected, found="; ".join(causes), fix=fix)
