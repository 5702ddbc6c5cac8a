"""Fingerprints: the same content gives the same digits anywhere, any other content gives others."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from spectramind_kit import fingerprint as module
from spectramind_kit.fingerprint import (
    file_fingerprint,
    file_fingerprints,
    fingerprint,
    from_text,
    to_text,
    what_changed,
)


@dataclass(frozen=True)
class Table:
    gain: float
    time: np.ndarray


def test_the_digits_are_fixed():
    """Guards the promise that a store made on another machine, Python or NumPy is recognised: the digits are
    written here."""
    assert fingerprint(1, 0.5, "transit", None, True, [1, 2], {"b": 1, "a": 2.0}) == "6d1b185c3e29baaf"
    assert fingerprint(np.arange(6, dtype=np.float32).reshape(2, 3)) == "2c6ec16fba28ddbc"


@pytest.mark.parametrize(
    "same",
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1.5], (1.5,)),
        (0.0, -0.0),
        (np.float64(2.5), 2.5),
        (np.int32(3), 3),
        (float("nan"), -np.float64("nan")),
        (np.array([1.0, np.nan, 0.0]), np.array([1.0, -np.nan, -0.0])),
        (np.arange(6.0).reshape(2, 3).T, np.ascontiguousarray(np.arange(6.0).reshape(2, 3).T)),
        (np.array(2.5), np.array(2.5)),
        (np.float32([1, -np.nan]), np.float32([1, np.nan])),
        (np.arange(4, dtype=">f4"), np.arange(4, dtype="<f4")),
        (Table(1.0, np.ones(3)), Table(1.0, np.ones(3))),
    ],
)
def test_the_same_content(same):
    """Guards against results made again for nothing: byte order, memory layout, key order, the sign of NaN
    and zero."""
    assert fingerprint(same[0]) == fingerprint(same[1])


@pytest.mark.parametrize(
    "pair",
    [
        (1, 1.0),
        (1, "1"),
        (1, True),
        (None, 0),
        ("ab", ["a", "b"]),
        (["ab", "c"], ["a", "bc"]),
        ([], {}),
        ({"a": None}, {}),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4), np.zeros(4, np.float32)),
        (np.zeros(4, np.int64), np.zeros(4)),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0])),
        (Table(1.0, np.ones(3)), Table(1.0, np.ones(4))),
        (1e-300, 0.0),
    ],
)
def test_other_content(pair):
    """Guards against a change that is not seen: types, shapes, borders between texts, a key that is gone."""
    assert fingerprint(pair[0]) != fingerprint(pair[1])


def test_what_has_no_content_is_refused():
    """Guards against an object whose fingerprint would never change (or would change with its address)."""
    for value in (object(), {1, 2}, np.array([object()]), lambda: 0):
        with pytest.raises(TypeError, match="no fingerprint"):
            fingerprint(value)


def test_a_small_file_counts_whole_and_a_copy_is_the_same(tmp_path):
    """Guards against a corrected calibration file of the same size that goes unnoticed, and against time
    stamps as truth."""
    path = tmp_path / "flat.parquet"
    path.write_bytes(os.urandom(200_000))
    before = file_fingerprint(path)
    copy = shutil.copy(path, tmp_path / "copy.parquet")
    os.utime(copy, (1, 1))
    assert file_fingerprint(copy) == before
    content = bytearray(path.read_bytes())
    content[123_456] ^= 1
    path.write_bytes(content)
    assert file_fingerprint(path) != before


def test_a_large_file_is_sampled_all_over(tmp_path):
    """Guards against a signal that was corrected in its middle: same size, and (no statistics) the same
    footer."""
    path = tmp_path / "signal.parquet"
    content = bytearray(os.urandom(module.WHOLE_BELOW + 1_000_000))
    path.write_bytes(content)
    before = file_fingerprint(path)
    step = len(content) // 20
    # a twentieth of the file, anywhere, is one block at least
    for start in range(0, len(content) - step, step):
        other = bytearray(content)
        other[start : start + step] = bytes(step)
        path.write_bytes(other)
        assert file_fingerprint(path) != before, start


def test_the_whole_footer_of_a_large_parquet_file_counts(tmp_path):
    """Guards against 64 kB of a footer that takes 2 MB: the last few columns only."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(name: str, changed: int | None) -> str:
        rng = np.random.default_rng(3)
        columns = {f"column_{k}": rng.integers(0, 1 << 15, 400).astype(np.uint16) for k in range(8000)}
        if changed is not None:
            columns[f"column_{changed}"][0] = 65535
        pq.write_table(pa.table(columns), tmp_path / name, compression=None, use_dictionary=False)
        assert (tmp_path / name).stat().st_size > module.WHOLE_BELOW
        return file_fingerprint(tmp_path / name)

    before = write("a.parquet", None)
    assert write("same.parquet", None) == before
    for column in (17, 4321):
        assert write("b.parquet", column) != before, (
            "one pixel, one frame: its column's maximum is in the footer"
        )


def test_files_that_are_not_there_are_left_out(tmp_path):
    """Guards against an exception for a calibration file that a visit lacks."""
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths[:2]:
        path.write_text(path.name)
    assert list(file_fingerprints(paths)) == paths[:2]


def test_what_changed_is_named():
    """Guards against 'stale' without a reason."""
    assert what_changed({"a": "1", "b": "2", "c": "3"}, {"b": "9", "a": "1", "d": "4"}) == ["b", "d", "c"]
    assert what_changed(None, {"a": "1"}) == ["a"] and what_changed({"a": "1"}, {"a": "1"}) == []
    assert from_text(to_text({"b": "1", "a": "2"})) == {"a": "2", "b": "1"} and from_text(
        "9f3c"
    ) == {} == from_text("[1]")
