"""One row for every planet: what is odd costs itself, is told, and never moves another's row."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.planet_rows import whole_number

PLAIN = "planet_id,a,b\n7,1.5,2\n8,3,4\n"


@pytest.mark.parametrize(
    "content, rows, words",
    [
        (PLAIN + ",,\n", {7: [1.5, 2], 8: [3, 4]}, "1 empty row"),
        (PLAIN.replace("1.5", "--"), {7: [None, 2], 8: [3, 4]}, "planet 7 a '--'"),
        (PLAIN.replace("1.5", ""), {7: [None, 2], 8: [3, 4]}, "empty: planet 7 a"),
        (PLAIN.replace("1.5", "inf"), {7: [None, 2], 8: [3, 4]}, "planet 7 a 'inf'"),
        (PLAIN.replace("1.5", "1_5"), {7: [None, 2], 8: [3, 4]}, "'1_5'"),
        (PLAIN.replace("1.5", "99"), {7: [None, 2], 8: [3, 4]}, "expected 0 … 10"),
        (PLAIN.encode().replace(b"1.5", b"1.5\xff"), {7: [None, 2], 8: [3, 4]}, "not UTF-8 at byte"),
        (PLAIN.encode().replace(b"1.5", b"1\0005"), {7: [None, 2], 8: [3, 4]}, "no number"),
        (PLAIN + "7,1.5,2\n", {7: [1.5, 2], 8: [3, 4]}, "planet 7 more than once, without contradiction"),
        (PLAIN + "7,,2\n", {7: [1.5, 2], 8: [3, 4]}, "without contradiction"),
        (PLAIN + "7,1.6,2\n", {7: [None, 2], 8: [3, 4]}, "planet 7 more than once with different values"),
        (PLAIN + "7,1.6,2\n7,1.5,2\n", {7: [None, 2], 8: [3, 4]}, "different values"),
        (PLAIN + "9,1,2,3\n", {7: [1.5, 2], 8: [3, 4]}, "row 4 with more cells"),
        (PLAIN + "9,1\n", {7: [1.5, 2], 8: [3, 4], 9: [1, None]}, "empty"),
        (PLAIN + "x,1,2\n", {7: [1.5, 2], 8: [3, 4]}, "row 3 without a usable planet_id"),
        (PLAIN + "8.5,1,2\n", {7: [1.5, 2], 8: [3, 4]}, "without a usable planet_id"),
        ("# from a catalogue\n" + PLAIN, {7: [1.5, 2], 8: [3, 4]}, "lines that begin with # left out (1)"),
        (PLAIN + "7_1,9,9\n", {7: [1.5, 2], 8: [3, 4]}, "without a usable planet_id"),
        (PLAIN + '9,"1,2\n10,5,6\n', {7: [1.5, 2], 8: [3, 4], 9: [None, None], 10: [5, 6]}, "9 a '1,2'"),
        (PLAIN.replace(",", ";").replace(".", ","), {7: [1.5, 2], 8: [3, 4]}, "decimal commas"),
    ],
)
def test_one_fault_costs_itself_and_is_told(read_table, content, rows, words):
    """Guards against one bad byte, cell or row making text of a column, shifting rows, or passing in
    silence."""
    table, told = read_table(content, limits={"a": (0.0, 10.0)})
    expected = np.array([[np.nan if v is None else v for v in row] for row in rows.values()], float)
    assert table.index.tolist() == list(rows)
    np.testing.assert_array_equal(table.to_numpy(), expected)
    assert words in told, told


def test_a_column_may_be_optional(read_table):
    table, told = read_table("planet_id,a\n7,1\n", optional=["b"])
    assert np.isnan(table.loc[7, "b"]) and "no column b" in told


def test_numbers_keep_their_last_bit(read_table):
    """Guards against a parser that is one unit off in the last place: pandas 2 is."""
    text = "3.8950012207031254"
    table, _ = read_table(f"planet_id,a,b\n7,{text},0.1\n")
    assert table.loc[7, "a"] == float(text)


@pytest.mark.parametrize(
    "text, number",
    [
        ("1103775", 1103775),
        ("1103775.0", 1103775),
        ("1.103775E+06", 1103775),
        ("007", 7),
        ("0", 0),
        ("-3", None),
        ("3.2", None),
        ("nan", None),
        ("inf", None),
        ("1e30", None),
        ("", None),
        ("0x1", None),
        ("1103775_1", None),
    ],
)
def test_whole_numbers(text, number):
    assert whole_number(text) == number
