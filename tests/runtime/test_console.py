"""`runtime.console`: few lines, that anyone can read."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from spectramind_kit.runtime import console, format_seconds, progress, say_once


def test_progress_is_plain_and_sparse_without_a_terminal(monkeypatch, capsys):
    """Guards against progress bars that flood papermill's log."""
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    clock = iter(range(0, 100_000, 10))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    assert list(progress(range(9), desc="visits", unit="visit")) == list(range(9))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[0].startswith("visits: 3/9 visit") and "left" in lines[0]
    assert lines[-1].startswith("visits: 9 visit in")


@pytest.mark.parametrize(
    "seconds, text", [(0.44, "0.4 s"), (45, "45 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_format_seconds(seconds, text):
    """Guards against times that nobody can read."""
    assert format_seconds(seconds) == text


def test_the_same_line_is_said_once(capsys):
    """Guards against a thousand visits that each tell which Parquet reader is used."""
    for text in ("read by pyarrow", "read by pyarrow", "another line"):
        say_once(text)
    assert capsys.readouterr().out.splitlines() == ["read by pyarrow", "another line"]
