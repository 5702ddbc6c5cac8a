"""CSV tables as people have them: what is odd costs itself, is told, and never moves another planet's row."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.csv_table import read_cells
from spectramind_kit.detector.planet_rows import read_planet_table, whole_number
from spectramind_kit.errors import DataError

PLAIN = "planet_id,a,b\n7,1.5,2\n8,3,4\n"


@pytest.fixture
def read(tmp_path):
    """read(content, …) -> (table, what was told)."""

    def read(content, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        told: list[str] = []
        return read_planet_table(path, ("a", "b"), tell=told.append, **options), " | ".join(told)

    return read


def test_a_good_table_says_nothing(read):
    table, told = read(PLAIN)
    assert table.index.tolist() == [7, 8] and table.index.dtype == np.int64
    assert table.to_numpy().tolist() == [[1.5, 2], [3, 4]]
    assert told == ""


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("7,", "7.0,"),
        PLAIN.replace("7,", '"7",'),
        " planet_id , a,b \n7, 1.5 ,2\n8,3,4",
        PLAIN.replace("8,", "8.0E+00,"),
        "b,planet_id,extra,a\n2,7,x,1.5\n4,8,y,3\n",
    ],
)
def test_harmless_dresses(read, content):
    """Guards against a byte order mark, Excel's line ends or the host's float ids making another table of the
    same numbers."""
    table, told = read(content)
    assert table.loc[7].tolist() == [1.5, 2.0] and table.loc[8].tolist() == [3.0, 4.0] and told == ""


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
def test_one_fault_costs_itself_and_is_told(read, content, rows, words):
    """Guards against one bad byte, cell or row making text of a column, shifting rows, or passing in
    silence."""
    table, told = read(content, limits={"a": (0.0, 10.0)})
    expected = np.array([[np.nan if v is None else v for v in row] for row in rows.values()], float)
    assert table.index.tolist() == list(rows)
    np.testing.assert_array_equal(table.to_numpy(), expected)
    assert words in told, told


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "empty"),
        (b"\n \n", "empty"),
        ("planet_id,a\n7,1\n", "columns are missing"),
        ("a,b\n1,2\n", "planet_id"),
        (b"\x89PNG\r\n\x1a\n\0\0", "planet_id"),
        ("planet_id,a,a,b\n7,1,2,3\n", "stands twice"),
    ],
)
def test_what_is_no_table_says_so(read, content, words):
    """Guards against a parser's own exception, which the callers do not expect."""
    with pytest.raises(DataError, match=words):
        read(content)


def test_a_column_may_be_optional(read):
    table, told = read("planet_id,a\n7,1\n", optional=["b"])
    assert np.isnan(table.loc[7, "b"]) and "no column b" in told


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(DataError, match="missing"):
            read_cells(path)


def test_a_comma_inside_quotation_marks_splits_no_cell(read):
    """Guards against a row that is lost for the name of its star."""
    table, told = read('planet_id,name,a,b\n7,"WASP-39, b",1.5,2\n8,"x ""y""",3,4\n')
    assert table.to_numpy().tolist() == [[1.5, 2.0], [3.0, 4.0]] and told == ""


def test_numbers_keep_their_last_bit(read):
    """Guards against a parser that is one unit off in the last place: pandas 2 is."""
    text = "3.8950012207031254"
    table, _ = read(f"planet_id,a,b\n7,{text},0.1\n")
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
