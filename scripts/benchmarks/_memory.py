"""Peak memory, which a child process would inherit from its parent if ru_maxrss told it (Linux)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROBE = """
import runpy, sys
import torch
folder, file, prepare, *arguments = sys.argv[1:]
sys.path.insert(0, folder)
from _memory import peak_mb
torch.set_num_threads(1)
work = runpy.run_path(file)[prepare](*arguments)
before = peak_mb()
work()
print(peak_mb() - before)
"""


def peak_mb() -> float:
    """Largest resident size since this program began, MB."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def growth_mb(file: str, prepare: str, *arguments: str) -> float:
    """Growth of the peak while the work that ``prepare(*arguments)`` of a file returns is done, MB.

    In a process of its own; NaN elsewhere than on Linux.
    """
    if not sys.platform.startswith("linux"):
        return float("nan")
    command = [sys.executable, "-c", _PROBE, str(Path(__file__).parent), file, prepare, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
