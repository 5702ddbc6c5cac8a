"""Columns by their numbers."""

from __future__ import annotations

import pytest

from spectramind_kit.detector.numbered_columns import numbered_columns

NAMES = [f"column_{k}" for k in range(12)]


@pytest.mark.parametrize(
    "names, found",
    [
        (NAMES, NAMES),
        (sorted(NAMES), NAMES),
        (["frame", "__index_level_0__", *NAMES], NAMES),
        (["Unnamed: 0", *sorted(map(str, range(12)))], [str(k) for k in range(12)]),
        ([f"p{k:03d}" for k in range(1, 13)], [f"p{k:03d}" for k in range(1, 13)]),
        (["index", *"lkjihgfedcba"], list("lkjihgfedcba")),
        (NAMES[1:], None),
        ([*NAMES, "column_12"], None),
        ([*NAMES[:-1], "column_13"], None),
        ([*NAMES[:-1], "column_0_1"], None),
        ([], None),
    ],
)
def test_order(names, found):
    """Guards against pixels that change places, and against a guess where the numbers are not one by one."""
    assert numbered_columns(names, 12) == found
