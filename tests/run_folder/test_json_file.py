"""JSON that can be read whatever happened to it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spectramind_kit.run_folder.json_file import read_json, write_json


@pytest.mark.parametrize("content", [b'{"cut', b"", b"\0", b"[1]", b'{"a": "\xe9"}', b"[" * 100_000])
def test_what_is_no_object_reads_as_empty(tmp_path, content):
    """Guards against a notebook that raises for a file that a power cut left."""
    (tmp_path / "run.json").write_bytes(content)
    assert read_json(tmp_path / "run.json") == {}


def test_why_nothing_was_read_is_told(tmp_path):
    """Guards against an empty report whose reason nobody knows."""
    told = []
    read_json(tmp_path / "run.json", tell=told.append)
    (tmp_path / "run.json").write_text("{cut")
    read_json(tmp_path / "run.json", tell=told.append)
    assert told[0] == "no run.json" and told[1].startswith("run.json is not JSON: ")


def test_numbers_that_json_lacks_become_null(tmp_path):
    """Guards against a file that only Python can read."""
    content = {
        "a": np.float32(0.5),
        "b": float("nan"),
        "c": np.array([1.0, np.inf]),
        3: (True, None),
        "d": tmp_path,
    }
    write_json(tmp_path / "x.json", content)
    found = json.loads((tmp_path / "x.json").read_text(), parse_constant=pytest.fail)
    assert found == {"a": 0.5, "b": None, "c": [1.0, None], "3": [True, None], "d": str(tmp_path)}
