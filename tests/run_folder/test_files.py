"""Where a run's files are looked for."""

from __future__ import annotations

import pytest

from spectramind_kit.run_folder.json_file import write_json
from spectramind_kit.run_folder.results import RunResults


def test_the_own_folder_comes_first(tmp_path):
    """Guards against results of an earlier kernel that hide those of this run."""
    run = RunResults(tmp_path / "own", (tmp_path / "first", tmp_path / "second"))
    assert run.find("bundle/x.json") is None
    assert run.path("bundle/x.json") == tmp_path / "own/bundle/x.json", "where it would be"
    for name in ("second", "first", "own"):
        path = tmp_path / name / "bundle/x.json"
        path.parent.mkdir(parents=True)
        path.touch()
        assert run.find("bundle/x.json") == run.path("bundle/x.json") == path
    assert [path.parents[1].name for path in run.glob("bundle/*.json")] == ["own", "first", "second"]


def test_the_bundle_is_the_one_that_was_submitted_with(tmp_path):
    """Guards against doubts about the predictions that no new run of 03_submit can mend, since it passes over
    the newest bundle; and against silence about one that is newer than the submission."""
    run = RunResults(tmp_path / "own", (tmp_path / "first", tmp_path / "second"))
    for name, day in (("first", 1), ("second", 2)):
        write_bundle(tmp_path / name, day)
    assert run.bundle_json == tmp_path / "second/bundle/bundle.json", "nothing on record: the newest"
    passed_over = [bundle.in_words.replace("/second/", "/elsewhere/") for bundle in run.bundles[:1]]
    submit = {"bundle": "fingerprint of 1", "bundles_passed_over": passed_over}
    write_json(tmp_path / "first" / "run.json", {"stages": {"submit": submit}})
    assert run.bundle_json == tmp_path / "first/bundle/bundle.json"
    write_bundle(tmp_path / "own", 3)
    assert run.bundle_json == tmp_path / "own/bundle/bundle.json", "03_submit has not seen it yet"


@pytest.mark.parametrize("content", [{"stages": []}, {"stages": {"submit": 3}}, {"stages": {"submit": {}}}])
def test_a_record_that_somebody_edited_is_none(tmp_path, content):
    """Guards against an AttributeError, and a bundle that is not there any more."""
    run = RunResults(tmp_path)
    assert run.bundle_json == tmp_path / "bundle/bundle.json", "where it would be"
    write_bundle(tmp_path, 1)
    for record in (content, {"stages": {"submit": {"bundle": "gone", "bundles_passed_over": None}}}):
        write_json(tmp_path / "run.json", record)
        assert run.bundle_json == tmp_path / "bundle/bundle.json"


def write_bundle(folder, day):
    content = {"saved": f"2026-11-0{day}T10:00:00+00:00", "fingerprint": f"fingerprint of {day}"}
    write_json(folder / "bundle/bundle.json", content)
