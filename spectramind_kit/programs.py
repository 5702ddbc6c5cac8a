"""Other programs, run without a terminal to ask on."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread


def run_program(
    command: Sequence[str],
    *,
    timeout_s: float | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end; ``stdout`` of the answer holds both its streams. No exit code is an error.

    Raises `subprocess.TimeoutExpired` after ``timeout_s``.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        check=False,
        env=environment,
        cwd=cwd,
    )


def run_program_aloud(
    command: Sequence[str],
    each_line: Callable[[str], object],
    *,
    timeout_s: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """As `run_program`; ``each_line`` hears each line as it comes, with its end: a newline, or the carriage
    return of a progress bar."""
    said: list[str] = []
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **streams, env=environment) as running:

        def listen() -> None:
            with io.TextIOWrapper(running.stdout, encoding="utf-8", errors="replace", newline="") as lines:
                for line in lines:
                    said.append(line)
                    each_line(line)

        listener = Thread(target=listen, daemon=True)
        listener.start()
        try:
            running.wait(timeout_s)
        except KeyboardInterrupt:
            with suppress(subprocess.TimeoutExpired):  # it has heard Ctrl-C too
                running.wait(2)
            raise
        finally:
            running.kill()
            listener.join(timeout=5)
    return subprocess.CompletedProcess(command, running.returncode, "".join(said))
