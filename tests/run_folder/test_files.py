"""Where a run's files are looked for."""

from __future__ import annotations

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
