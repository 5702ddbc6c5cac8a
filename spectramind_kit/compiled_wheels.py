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

from spectramind_kit.errors import ConfigError, nearest
from spectramind_kit.runtime import TimeBudget, cpu_count, format_seconds, say

# Each operation is checked by a number: a wheel of another torch may install, import and then compute
# rubbish.
PROBES = {
    "torch-scatter": """
from torch_scatter import scatter
x, index = torch.arange(6.0, device=device), torch.tensor([0, 1, 0, 1, 2, 2], device=device)
assert scatter(x, index, dim=0, reduce="sum").tolist() == [2.0, 4.0, 9.0]
""",
    "causal-conv1d": """
from causal_conv1d import causal_conv1d_fn
x, weight = torch.ones(1, 8, 5, device=device), torch.ones(8, 4, device=device)
assert causal_conv1d_fn(x, weight)[0, 0].tolist() == [1.0, 2.0, 3.0, 4.0, 4.0]
""",
    "mamba-ssm": """
from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
u, delta = torch.ones(1, 8, 3, device=device), torch.ones(1, 8, 3, device=device)
A = -torch.log(torch.tensor(2.0, device=device)).expand(8, 1).contiguous()
B, C = torch.ones(2, 1, 1, 3, device=device)
y = selective_scan_fn(u, delta, A, B, C)
assert torch.allclose(y[0, 0], torch.tensor([1.0, 1.5, 1.75], device=device), atol=1e-3), y[0, 0].tolist()
""",
}
_PROBE_HEAD = """
import sys
sys.path[:0] = {paths!r}
import torch
device = "cuda" if torch.cuda.is_available() else "cpu"
"""


@dataclass(frozen=True)
class WheelBuild:
    """What became of one package: ``wheel`` is its file name, empty when it was not built; ``works`` whether
    an operation gave the right numbers; ``note`` says why not."""

    package: str
    wheel: str
    works: bool
    seconds: float
    note: str


def build_wheels(
    packages: Sequence[str], folder: str | Path, *, budget_hours: float = 2.0
) -> list[WheelBuild]:
    """Build and try each of ``packages``; wheels that work stay in ``folder``, with ``wheels.json`` beside
    them.

    A package that fails costs only itself; ``<package>.log`` holds what pip said. Raises ConfigError for a
    package that is none of the three.
    """
    for package in packages:
        if package not in PROBES:
            raise ConfigError("unknown package", found=package, fix=nearest(package, PROBES))
    folder, budget = Path(folder), TimeBudget(budget_hours)
    folder.mkdir(parents=True, exist_ok=True)
    builds: list[WheelBuild] = []
    for package in packages:
        builds.append(
            _build(
                package, folder, seconds=budget.left_s, earlier=[folder / b.wheel for b in builds if b.works]
            )
        )
        last = builds[-1]
        say(
            f"{package}: {'works, ' + last.wheel if last.works else 'not available: ' + last.note} "
            f"({format_seconds(last.seconds)})"
        )
        (folder / "wheels.json").write_text(
            json.dumps([asdict(b) for b in builds], indent=2) + "\n", encoding="utf-8"
        )
    return builds


def _build(package: str, folder: Path, *, seconds: float, earlier: list[Path]) -> WheelBuild:
    started = time.monotonic()
    if seconds <= 0:
        return WheelBuild(package, "", False, 0.0, "no time was left")
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            scratch,
            package,
        ]
        try:
            done = subprocess.run(
                command,
                env=_build_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return WheelBuild(
                package, "", False, time.monotonic() - started, "building took longer than the budget"
            )
        (folder / f"{Path(package).name}.log").write_text(done.stdout, encoding="utf-8")
        wheels = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            return WheelBuild(package, "", False, time.monotonic() - started, _last_lines(done.stdout))
        note = probe_wheel(package, wheels[0], beside=earlier)
        if not note:
            (folder / wheels[0].name).write_bytes(wheels[0].read_bytes())
        return WheelBuild(
            package, wheels[0].name if not note else "", not note, time.monotonic() - started, note
        )


def probe_wheel(package: str, wheel: Path, *, beside: Sequence[Path] = ()) -> str:
    """Install ``wheel`` (and those ``beside`` it) into a scratch folder, run one operation in a process of
    its own.

    Returns an empty text when the numbers are right, else what went wrong. A process of its own: a wheel
    built for another torch can end the interpreter.
    """
    with tempfile.TemporaryDirectory() as scratch:
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--target",
            scratch,
            str(wheel),
            *map(str, beside),
        ]
        for command in (
            install,
            [sys.executable, "-c", _PROBE_HEAD.format(paths=[scratch]) + PROBES[package]],
        ):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=900,
                check=False,
            )
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
