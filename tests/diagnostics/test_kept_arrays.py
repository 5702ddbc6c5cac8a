"""Arrays kept for the report: come back as they were, and only for the results that they belong to."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.kept_arrays import load_arrays, save_arrays


def test_arrays_are_those_of_the_same_results_only(tmp_path):
    """Guards against embeddings of an older training in a fresh report, and against paying twice."""
    path = save_arrays(
        tmp_path / "deep/kept.npz", {"x": np.arange(3.0), "names": ("a", "b")}, fingerprint="one"
    )
    found = load_arrays(path, fingerprint="one")
    assert set(found) == {"x", "names"} and found["names"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(found["x"], np.arange(3.0))
    assert load_arrays(path, fingerprint="two") is None
    assert set(load_arrays(path)) == {"x", "names"}


def test_nothing_kept_is_none(tmp_path):
    """Guards against an error where nothing has been computed yet, and a file that names no results."""
    assert load_arrays(tmp_path / "none.npz", fingerprint="") is None
    np.savez(tmp_path / "old.npz", x=np.zeros(2))
    assert load_arrays(tmp_path / "old.npz", fingerprint="one") is None
