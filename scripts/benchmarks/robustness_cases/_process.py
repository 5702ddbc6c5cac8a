"""Processes of their own, and the small data set that they work on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from robustness_cases import ROOT
from robustness_cases._said import captured


def run_python(
    code: str, *arguments: object, cwd: Path, before: Path | None = None, **variables: str
) -> subprocess.CompletedProcess:
    """A process that finds the kit, and packages of ``before`` ahead of those installed."""
    return _python(["-c", code, *map(str, arguments)], cwd, before=before, **variables)


def run_script(text: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """The same for a script in a file, as users have one."""
    (cwd / "mine.py").write_text(text, encoding="utf-8")
    return _python(["mine.py", *map(str, arguments)], cwd)


def _python(
    command: list[str], cwd: Path, *, before: Path | None = None, **variables: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment(before=before, **variables),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=300,
    )


def environment(*, before: Path | None = None, **variables: str) -> dict[str, str]:
    path = os.pathsep.join([*([str(before)] if before else []), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, **variables}


def simulated(scratch: Path, planets: int = 1) -> Path:
    """A data set of so many train planets."""
    from spectramind_kit.simulator import simulate_competition

    settings = dict(n_train=planets, n_test=0, seed=11, cadence="reduced")
    with captured():
        return Path(simulate_competition(scratch / "simulated", **settings).data_dir)
