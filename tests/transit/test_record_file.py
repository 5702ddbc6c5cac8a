from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit.record_file import RecordFile, put_together, taken_apart

FILE = RecordFile("a box", 2, "make it again")


@dataclass(frozen=True)
class Box:
    sides: np.ndarray
    lid: np.ndarray | None
    names: tuple[str, ...]
    weight: float


def _written(path, file: RecordFile = FILE, **more) -> Box:
    box = Box(np.arange(3.0), None, ("a", "b"), 1.5)
    arrays, text = taken_apart(box, "b")
    file.write(path, arrays, {**text, **more})
    return box


def _read(path) -> Box:
    return FILE.read(path, lambda arrays, text: put_together(Box, "b", arrays, text))


def test_comes_back_as_it_was(tmp_path) -> None:
    """Guards against a tuple that comes back as a list, and against an optional array that is lost."""
    box, again = _written(tmp_path / "box.npz"), _read(tmp_path / "box.npz")
    assert np.array_equal(again.sides, box.sides)
    assert (again.lid, again.names, again.weight) == (None, ("a", "b"), 1.5)


def test_prefixes_do_not_mix() -> None:
    """Guards against visit 1 that gets the arrays of visit 10."""
    arrays = {"v1_sides": np.ones(1), "v10_sides": np.zeros(1)}
    plain = {"lid": None, "names": [], "weight": 0.0}
    assert put_together(Box, "v1", arrays, plain).sides == 1.0
    assert put_together(Box, "v10", arrays, plain).sides == 0.0


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_named(tmp_path, content: bytes) -> None:
    """Guards against a bare BadZipFile or EOFError after an interrupted copy."""
    path = tmp_path / "box.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="a box cannot be read") as raised:
        _read(path)
    assert "box.npz" in str(raised.value) and "make it again" in str(raised.value)


def test_another_version_is_refused(tmp_path) -> None:
    """Guards against fields of an older kit taken for today's, and a TypeError that nobody can read."""
    _written(tmp_path / "old.npz", RecordFile("a box", 1, ""))
    _written(tmp_path / "more.npz", colour="red")
    for name in ("old.npz", "more.npz"):
        with pytest.raises(DataError, match="a box of another version"):
            _read(tmp_path / name)
