"""`spectramind_kit.programs`: another program cannot hang this one, nor break it by what it prints."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spectramind_kit.programs import run_program, run_program_aloud


def python(code: str, **settings) -> subprocess.CompletedProcess[str]:
    return run_program([sys.executable, "-c", code], **settings)


def test_both_streams_and_the_exit_code_come_back():
    """Guards against a cause that is lost because it went to the other stream."""
    done = python("import sys; print('out', flush=True); sys.exit('err')")
    assert done.stdout.splitlines() == ["out", "err"] and done.returncode == 1


def test_what_is_no_text_is_no_error():
    """Guards against UnicodeDecodeError from a progress bar or a file name in another encoding."""
    assert python("import sys; sys.stdout.buffer.write(b'a\\xff')").stdout == "a\N{REPLACEMENT CHARACTER}"


def test_nobody_is_asked_and_nobody_waited_for():
    """Guards against a program that waits for a password at a standard input of ours, and one that hangs."""
    assert "EOFError" in python("input('password: ')").stdout
    with pytest.raises(subprocess.TimeoutExpired):
        python("import time; time.sleep(60)", timeout_s=0.5)


def test_variables_are_those_given():
    """Guards against a build for all architectures because MAX_JOBS and its like did not arrive."""
    done = python("import os; print(os.environ['MAX_JOBS'])", environment={**os.environ, "MAX_JOBS": "3"})
    assert done.stdout.strip() == "3"


def test_a_line_is_heard_when_it_is_printed():
    """Guards against an upload of an hour without a word, progress bars included."""
    code = "import time; print('0 %', end='\\r', flush=True); print('done', flush=True); time.sleep(60)"
    heard = []
    with pytest.raises(subprocess.TimeoutExpired):
        run_program_aloud([sys.executable, "-c", code], heard.append, timeout_s=2)
    assert heard == ["0 %\r", "done\n"]
    done = run_program_aloud([sys.executable, "-c", "print('a'); 1 / 0"], heard.append)
    assert done.returncode == 1 and done.stdout.startswith("a\n") and heard[-1].startswith("ZeroDivision")
