"""Dataclasses in one ``.npz``: their arrays under prefixed names, everything else as JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.whole_file import whole_file

Arrays = dict[str, np.ndarray]
Record = TypeVar("Record")


@dataclass(frozen=True)
class RecordFile:
    """Files of one kind; a file that cannot be read is a DataError that names it and says what to do."""

    what: str  # "a spectral prior"
    version: int  # of the format
    fix: str

    def write(self, path: str | Path, arrays: Arrays, text: Mapping[str, object]) -> None:
        """Atomically."""
        plain = json.dumps({"format": self.version, **text})
        with whole_file(path) as part, open(part, "wb") as handle:
            np.savez(handle, text=np.array(plain), **arrays)

    def read(self, path: str | Path, build: Callable[[Arrays, dict], Record]) -> Record:
        """What ``build`` makes of arrays and text."""
        place, other_version = dict(where=str(path), fix=self.fix), f"{self.what} of another version"
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                text = json.loads(str(archive["text"]))
                arrays = {name: archive[name] for name in archive.files if name != "text"}
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{self.what} cannot be read", found=str(error), **place) from error
        version = text.pop("format", None)
        if version != self.version:
            raise DataError(other_version, expected=str(self.version), found=str(version), **place)
        try:
            return build(arrays, text)
        except (
            KeyError,
            TypeError,
        ) as error:  # fields that this version has and that one had not, or the reverse
            raise DataError(other_version, found=str(error), **place) from error


def taken_apart(record: object, prefix: str) -> tuple[Arrays, dict[str, object]]:
    """The arrays of a dataclass by their names in the file, and its other fields."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    arrays = {f"{prefix}_{name}": v for name, v in values.items() if isinstance(v, np.ndarray)}
    return arrays, {name: v for name, v in values.items() if not isinstance(v, np.ndarray)}


def put_together(kind: type[Record], prefix: str, arrays: Arrays, plain: Mapping[str, object]) -> Record:
    """The dataclass whose arrays carry the prefix; JSON's lists are its tuples."""
    start = f"{prefix}_"
    own = {name.removeprefix(start): v for name, v in arrays.items() if name.startswith(start)}
    return kind(**own, **{name: tuple(v) if isinstance(v, list) else v for name, v in plain.items()})
