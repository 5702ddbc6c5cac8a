"""`run_folder.bundles`: which of several bundles is the newest."""

from __future__ import annotations

import pytest

from spectramind_kit.run_folder.bundles import find_bundles, utc_now
from spectramind_kit.run_folder.json_file import write_json


def bundle(folder, **content):
    (folder / "bundle").mkdir(parents=True)
    write_json(folder / "bundle" / "bundle.json", content)
    return folder


def test_the_newest_comes_first(tmp_path):
    """Guards against the first folder by name: a dataset's old bundle over the output of today's training."""
    old = bundle(tmp_path / "a", saved="2026-10-01T23:00:00+00:00", fingerprint="old")
    new = bundle(tmp_path / "b", saved=utc_now(), fingerprint="new")
    west = bundle(tmp_path / "c", saved="2026-10-01T20:00:00-05:00", fingerprint="two hours later")
    found = find_bundles([old, new, west, tmp_path / "none"])
    assert [entry.fingerprint for entry in found] == ["new", "two hours later", "old"]
    assert found[1].in_words.endswith("(saved 2026-10-02 01:00:00 UTC; fingerprint two hours la)")


@pytest.mark.parametrize("content", [{}, {"saved": None}, {"saved": 20261126}, {"saved": "yesterday"}])
def test_one_without_a_date_comes_last_and_says_so(tmp_path, content):
    """Guards against a bundle of an older kit that wins, or that stops the run."""
    first = bundle(tmp_path / "a", fingerprint="undated", **content)
    also = bundle(tmp_path / "b", fingerprint="undated too")
    dated = bundle(tmp_path / "c", fingerprint="dated", saved="2020-01-01T00:00:00")
    found = find_bundles([first, also, dated])
    assert [entry.fingerprint for entry in found] == ["dated", "undated", "undated too"]
    assert "no date" in found[1].in_words


def test_a_damaged_one_is_no_error(tmp_path):
    """Guards against a cut file that stops the search for a whole one."""
    (bundle(tmp_path / "a") / "bundle" / "bundle.json").write_bytes(b'{"saved": "2026')
    (entry,) = find_bundles([tmp_path / "a"])
    assert entry.saved is None and "unknown" in entry.in_words
