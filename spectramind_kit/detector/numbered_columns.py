"""Columns of a Parquet matrix in the order of their numbers, whatever order a tool has stored them in."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_INDEX = re.compile(r"^(?:__index_level_\d+__|index|Unnamed: 0)$")


def numbered_columns(names: Sequence[str], count: int) -> list[str] | None:
    """The ``count`` columns of a matrix among ``names``, in order; None where they cannot be told.

    ``column_0`` … ``column_1023`` count by their number, and so do ``0`` … ``1023`` and ``pixel_00001`` …
    ``pixel_01024``: sorted as texts, 10 comes before 2. What else is there (an index, a frame number) is left
    out. Names without numbers stand in the order of the file, where their count is right.
    """
    usual = [f"column_{k}" for k in range(count)]
    if list(names) == usual:  # the official files: ten thousand names are not taken apart
        return usual
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        if not _INDEX.match(name) and (match := _NUMBERED.match(name)):
            groups.setdefault(match[1], {})[int(match[2])] = name
    for numbers in groups.values():
        if len(numbers) == count and max(numbers) - min(numbers) == count - 1 and min(numbers) in (0, 1):
            return [numbers[k] for k in sorted(numbers)]
    plain = [name for name in names if not _INDEX.match(name)]
    return plain if len(plain) == count and not any(map(_NUMBERED.match, plain)) else None
