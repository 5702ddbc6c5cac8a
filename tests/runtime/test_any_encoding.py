"""What the kit says reaches any stream: `say`, `spell_out`, papermill's log."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spectramind_kit.runtime import say
from spectramind_kit.runtime.any_encoding import EncodedStream, spell_out

ROOT = Path(__file__).parents[2]
LINE = "depth 5113 ± 28 ppm, σ × 1.06 … «ж»"


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": ":backslashreplace"},
        {"PYTHONIOENCODING": "utf-8"},
    ],
    ids=str,
)
def test_say_never_raises(variables):
    """Guards against UnicodeEncodeError after hours of work, from the line that tells the result."""
    code = f"from spectramind_kit.runtime import say; say({LINE!a}); say('done')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | variables, capture_output=True, timeout=60
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    first, last = done.stdout.decode("utf-8", "replace").splitlines()
    assert last == "done" and "5113" in first and "ppm" in first


def test_the_usual_signs_are_spelt_out():
    """Guards against lines full of \\x codes where plain letters say the same."""
    assert spell_out("5 ± 1 ppm, σ × 2…", "ascii") == "5 +- 1 ppm, sigma x 2..."
    assert spell_out("5 ± 1, σ", "latin-1") == "5 ± 1, sigma"
    assert spell_out("ж ± 3", "utf-8") == "ж ± 3" and spell_out("ж", "ascii") == "\\u0436"
    assert spell_out("a\udcff", "utf-8") == "a\\udcff", "a file name that is not UTF-8"
    assert spell_out("±", None) == "±" and spell_out("±", "no-such-encoding") == "+-"


def test_a_log_that_cannot_be_written_costs_no_run(monkeypatch):
    """Guards against a run that ends because `| head` has gone, the disk of its log is full, or stdout is
    closed."""

    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed, None):
        monkeypatch.setattr(sys, "stdout", stream)
        say("still here")
        if stream is not None:
            EncodedStream(stream).write("still here")
            EncodedStream(stream).flush()


def test_papermills_log_goes_to_an_ascii_stream():
    """Guards against a notebook that ends at a cell's σ because the log that it is shown in is ASCII."""
    raw = io.BytesIO()
    stream = EncodedStream(io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    assert stream.write("σ = 3\n") == 6 and stream.encoding == "ascii"
    stream.flush()
    assert raw.getvalue() == b"sigma = 3\n"
