"""What is said of a missing file."""

from __future__ import annotations

import pytest

from spectramind_kit.detector.file_errors import odd_table, require_file, require_table
from spectramind_kit.errors import DataError


def test_a_missing_file_is_named_with_what_to_do(tmp_path):
    """Guards against an error that does not say which file, whose and what to do; and one for a file."""
    path = tmp_path / "dark.parquet"
    for check in (lambda: require_file(path, "gone", expected="a map"), lambda: require_table(path)):
        with pytest.raises(DataError, match="dark.parquet.*no such file.*what to do"):
            check()
    with pytest.raises(DataError, match="planet 3"):
        require_file(path, "it is gone", expected="a map", where="planet 3")
    path.mkdir()
    with pytest.raises(DataError):
        require_table(path)
    path.rmdir()
    path.write_bytes(b"")
    require_file(path, "it is gone", expected="a map")
    require_table(path)


def test_odd_tables_send_to_the_competitions_file():
    """Guards against an exception that is not the kit's, or that loses its words."""
    error = odd_table("a column is missing", where="x.csv", expected="P", found="none")
    assert (
        isinstance(error, DataError) and error.fix == "use the competition's file" and error.found == "none"
    )
