from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.whole_file import whole_file


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path) -> None:
    """Guards against half a file where a disk is full or a process is interrupted."""
    path = tmp_path / "deep" / "values.npz"
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez(file, a=np.arange(3))
    with pytest.raises(OSError, match="disk"), whole_file(path, durable=True) as part:
        part.write_bytes(b"half")
        raise OSError("no space left on the disk")
    assert np.load(path)["a"].tolist() == [0, 1, 2]
    assert [p.name for p in path.parent.iterdir()] == ["values.npz"]


def test_a_reader_never_sees_a_part(tmp_path) -> None:
    """Guards against a name that a store would list while the file is being written."""
    with whole_file(tmp_path / "7_0.npz") as part:
        part.write_bytes(b"not yet")
        assert part.name.startswith(".") and not (tmp_path / "7_0.npz").exists()
