"""Build mamba-ssm, causal-conv1d and torch-scatter for the image that this runs in, and try them on its GPU.

All three are optional: without them the kit runs on its own paths. They are source-only on PyPI and tied to
the very torch and Python that they were built with, so they are built where they will be used, once, in a
session with internet.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spectramind_kit.errors import check_choice
from spectramind_kit.programs import run_program
from spectramind_kit.runtime import TimeBudget, cpu_count, format_seconds, say

PACKAGES = ("torch-scatter", "causal-conv1d", "mamba-ssm")  # mamba-ssm imports causal-conv1d
_PIP = (sys.executable, "-m", "pip")
# Run in a process of its own: a wheel of another torch may install, import and then end the interpreter.
_PROBE = """
import sys
sys.path[:0] = {paths!r}
from spectramind_kit.optional_packages import probe
sys.exit(probe({module!r}) or 0)
"""


@dataclass(frozen=True)
class WheelBuild:
    """What became of one package."""

    package: str
    wheel: str  # its file name; empty when it was not built, or does not work
    works: bool  # an operation gave the right numbers
    seconds: float
    note: str  # why it does not work


def build_wheels(
    packages: Sequence[str], folder: str | Path, *, budget_hours: float = 2.0
) -> list[WheelBuild]:
    """Build and try each of ``packages``; wheels that work stay in ``folder``, ``wheels.json`` beside them.

    A package that fails costs only itself; ``<package>.log`` holds what pip said. Raises ConfigError for a
    package that is none of the three.
    """
    for package in packages:
        check_choice(package, PACKAGES, what="package")
    folder, budget = Path(folder), TimeBudget(budget_hours)
    folder.mkdir(parents=True, exist_ok=True)
    builds: list[WheelBuild] = []
    for package in packages:
        started = time.monotonic()
        earlier = [folder / build.wheel for build in builds if build.works]
        wheel, why = _build(package, folder, seconds=budget.left_s, earlier=earlier)
        seconds = time.monotonic() - started
        builds.append(WheelBuild(package, wheel, bool(wheel), seconds, why))
        result = f"works, {wheel}" if wheel else f"not available: {why}"
        say(f"{package}: {result} ({format_seconds(seconds)})")
        report = json.dumps([asdict(build) for build in builds], indent=2)
        (folder / "wheels.json").write_text(report + "\n", encoding="utf-8")
    return builds


def _build(package: str, folder: Path, *, seconds: float, earlier: Sequence[Path]) -> tuple[str, str]:
    """The name of the wheel, now in ``folder``, or an empty text and why there is none."""
    if seconds <= 0:
        return "", "no time was left"
    with tempfile.TemporaryDirectory() as scratch:
        command = [*_PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", scratch, package]
        try:
            done = run_program(command, timeout_s=seconds, environment=_build_environment())
        except subprocess.TimeoutExpired:
            return "", "building took longer than the budget"
        (folder / f"{Path(package).name}.log").write_text(done.stdout, encoding="utf-8")
        wheels = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            return "", _last_lines(done.stdout)
        if why := _try(package, wheels[0], beside=earlier):
            return "", why
        (folder / wheels[0].name).write_bytes(wheels[0].read_bytes())
        return wheels[0].name, ""


def _try(package: str, wheel: Path, *, beside: Sequence[Path]) -> str:
    """Install ``wheel`` (and those ``beside`` it) into a scratch folder and run one operation.

    Returns an empty text when the numbers are right, else what went wrong.
    """
    kit = str(Path(__file__).resolve().parents[1])
    with tempfile.TemporaryDirectory() as scratch:
        install = [*_PIP, "install", "--quiet", "--no-index", "--no-deps", "--target", scratch]
        code = _PROBE.format(paths=[scratch, kit], module=Path(package).name.replace("-", "_"))
        for command in ([*install, str(wheel), *map(str, beside)], [sys.executable, "-c", code]):
            done = run_program(command, timeout_s=900)
            if done.returncode:
                return _last_lines(done.stdout) or f"ended with code {done.returncode}"
    return ""


def _build_environment() -> dict[str, str]:
    """Compile for this GPU alone (all architectures take hours) and with as many jobs as there are cores."""
    environment = {**os.environ, "MAX_JOBS": str(cpu_count())}
    capability = "'%d.%d' % torch.cuda.get_device_capability() if torch.cuda.is_available() else ''"
    code = f"import torch; print({capability})"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if found.stdout.strip():
        environment["TORCH_CUDA_ARCH_LIST"] = found.stdout.strip()
    return environment


def _last_lines(text: str, count: int = 3) -> str:
    """The last lines that carry the reason: pip ends with several that only say where to look."""
    lines = [line.strip(" |│╰─>×") for line in text.splitlines()]
    empty = re.compile(
        r"$|WARNING|note:|hint:|See above|\[end of output\]|Getting requirements|error: subprocess-exited|"
        r"ERROR: Failed|Failed to build|exit code:"
    )
    return " / ".join([line for line in lines if not empty.match(line)][-count:])[:600]
