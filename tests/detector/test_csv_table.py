"""CSV tables as people have them: another dress changes nothing, and what is no table says so."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.csv_table import read_cells
from spectramind_kit.errors import DataError

PLAIN = "planet_id,a,b\n7,1.5,2\n8,3,4\n"


def test_a_good_table_says_nothing(read_table):
    table, told = read_table(PLAIN)
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
def test_harmless_dresses(read_table, content):
    """Guards against a byte order mark, Excel's line ends or the host's float ids making another table of the
    same numbers."""
    table, told = read_table(content)
    assert table.loc[7].tolist() == [1.5, 2.0] and table.loc[8].tolist() == [3.0, 4.0] and told == ""


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
def test_what_is_no_table_says_so(read_table, content, words):
    """Guards against a parser's own exception, which the callers do not expect."""
    with pytest.raises(DataError, match=words):
        read_table(content)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(DataError, match="missing"):
            read_cells(path)


def test_a_comma_inside_quotation_marks_splits_no_cell(read_table):
    """Guards against a row that is lost for the name of its star."""
    table, told = read_table('planet_id,name,a,b\n7,"WASP-39, b",1.5,2\n8,"x ""y""",3,4\n')
    assert table.to_numpy().tolist() == [[1.5, 2.0], [3.0, 4.0]] and told == ""
