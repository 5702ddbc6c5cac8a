"""Fingerprints: short texts that change when what a result was made from changes, on any machine.

`fingerprint` is for values, `file_fingerprint` for files; `what_changed` names the difference between two
sets of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

WHOLE_BELOW = 4 << 20  # bytes: files up to this size are read whole, larger ones in samples
# one column of an AIRS-CH0 signal takes about half of this, so that a block holds whole columns
_BLOCK = 32 << 10
_BLOCKS = 16  # docs/decisions.md D75
_FOOTER_AT_MOST = 8 << 20  # a Parquet footer of 11,392 columns takes 1 to 2 MB
_LENGTH = 16  # hexadecimal digits


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits of nested numbers, texts, None, arrays, mappings, sequences, dataclasses.

    The type counts (1, 1.0 and "1" differ, and so do float32 and float64), the order of a mapping's keys does
    not. An array enters with shape, kind and little-endian bytes; every NaN is the same one, and -0.0 is 0.0.
    Neither Python's ``hash`` nor ``repr`` of an array is used, so the digits are the same on every platform
    and NumPy.

    Raises
    ------
    TypeError
        For anything else: an object that has no content of its own must not count as unchanged.
    """
    digest = hashlib.sha256()
    _feed(digest, parts)
    return digest.hexdigest()[:_LENGTH]


def file_fingerprint(path: str | Path) -> str:
    """Of a file's content; never of its time stamps, which change when a data set is copied or mounted.

    Up to 4 MB every byte counts. Of a larger file: its size, a Parquet footer whole (each column's place,
    packed size and statistics) and 16 blocks of 32 kB from the first to the last byte. So a correction of a
    few bytes that changes no packed size and no statistics can pass unnoticed in a large file; delete the
    results by hand then.

    Raises
    ------
    OSError
        The file is not there or cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        digest.update(struct.pack("<Q", size))
        if size <= WHOLE_BELOW:
            file.seek(0)
            digest.update(file.read())
        else:
            file.seek(size - 8)
            tail = file.read(8)
            length = struct.unpack("<I", tail[:4])[0] + 8 if tail[4:] == b"PAR1" else 0
            footer = min(length, _FOOTER_AT_MOST, size)
            for number in range(_BLOCKS):
                file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
            file.seek(size - footer)
            digest.update(file.read(footer))
    return digest.hexdigest()[:_LENGTH]


def file_fingerprints(paths: Iterable[Path]) -> dict[Path, str]:
    """`file_fingerprint` of many files; those that are absent or cannot be read are left out."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = file_fingerprint(path)
    return found


def what_changed(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """Names whose fingerprint is not what it was, those that are gone or new included."""
    before = before or {}
    return [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]


def to_text(made_from: Mapping[str, Any]) -> str:
    """Fingerprints by name as one line of JSON, to be kept inside a result."""
    return json.dumps(dict(made_from), sort_keys=True)


def from_text(text: str) -> dict[str, Any]:
    """What `to_text` wrote; empty for anything else (a file of an earlier version of the kit)."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _feed(digest: Any, value: Any) -> None:
    """Tag, length, content: no two values share their bytes."""
    if value is None:
        digest.update(b"n")
    elif isinstance(value, bool | np.bool_):
        digest.update(b"b1" if value else b"b0")
    elif isinstance(value, int | np.integer):
        text = str(int(value)).encode()
        digest.update(b"i%d:" % len(text) + text)
    elif isinstance(value, float | np.floating):
        number = float(value)
        digest.update(b"f" + struct.pack("<d", math.nan if math.isnan(number) else number + 0.0))
    elif isinstance(value, str | bytes):
        content = value.encode() if isinstance(value, str) else value
        digest.update((b"s%d:" if isinstance(value, str) else b"y%d:") % len(content) + content)
    elif isinstance(value, np.ndarray):
        _feed_array(digest, value)
    elif isinstance(value, Mapping):
        entries = sorted(((str(key), one) for key, one in value.items()), key=lambda entry: entry[0])
        digest.update(b"m%d:" % len(entries))
        for key, one in entries:
            _feed(digest, key)
            _feed(digest, one)
    elif isinstance(value, Sequence):
        digest.update(b"l%d:" % len(value))
        for one in value:
            _feed(digest, one)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {f.name: getattr(value, f.name) for f in fields(value)})
    else:
        raise TypeError(
            f"no fingerprint of a {type(value).__name__}: only of plain values, arrays and dataclasses"
        )


def _feed_array(digest: Any, value: np.ndarray) -> None:
    if value.dtype.kind not in "biufcSU":
        raise TypeError(f"no fingerprint of an array of {value.dtype}")
    if value.dtype.kind in "fc":
        value = np.where(np.isnan(value), np.array(np.nan, value.dtype), value + 0)  # -0.0 becomes 0.0
    plain = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"), copy=False))
    kind = f"{value.dtype.kind}{value.dtype.itemsize}{list(value.shape)}".encode()
    digest.update(b"a%d:" % len(kind) + kind)
    digest.update(plain.tobytes())
