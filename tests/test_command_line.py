"""`spectramind_kit.command_line`: one line and an exit code, whatever ends a command."""

from __future__ import annotations

import pytest

from spectramind_kit.command_line import run_command
from spectramind_kit.errors import ConfigError, DataError


@pytest.mark.parametrize(
    "ending, code, said",
    [
        (None, 0, ""),
        (DataError("no file", where="here"), 1, "error: no file | where: here\n"),
        (ConfigError("no such choice"), 2, "error: no such choice\n"),
        (KeyboardInterrupt(), 130, "stopped: run the same command again to go on\n"),
    ],
)
def test_each_ending_has_a_line_and_a_code(ending, code, said, capsys):
    """Guards against a traceback for Ctrl-C, and an error that a script takes for success."""

    def work():
        if ending:
            raise ending

    assert run_command(work) == code and capsys.readouterr().err == said
