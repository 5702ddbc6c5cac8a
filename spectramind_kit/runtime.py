"""Where the kit runs, on what, and how much time it has left.

Nothing here imports torch or pandas before a function needs it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from math import ceil
from pathlib import Path

from spectramind_kit.any_encoding import spell_out
from spectramind_kit.cgroup import cpu_quota, memory_left_mb
from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.optional_packages import NOT_INSTALLED, why_not

COMPETITION = "ariel-data-challenge-2025"
KAGGLE_INPUT = Path("/kaggle/input")
_MARKERS = ("wavelengths.csv", "axis_info.parquet")  # one is enough: the other may be what is missing
_PLAIN_PROGRESS_S = 30.0


# ---------------------------------------------------------------- where


@dataclass(frozen=True)
class Place:
    """Where a notebook runs. ``name`` is ``kaggle-rerun``, ``kaggle`` or ``local``."""

    name: str

    @property
    def on_kaggle(self) -> bool:
        return self.name.startswith("kaggle")

    @property
    def is_rerun(self) -> bool:
        return self.name == "kaggle-rerun"


def where_am_i() -> Place:
    """Read the place from the variables that Kaggle sets."""
    if os.environ.get("KAGGLE_IS_COMPETITION_RERUN"):
        return Place("kaggle-rerun")
    return Place("kaggle" if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") else "local")


def kaggle_input() -> Path:
    """Where Kaggle attaches inputs; ``SPECTRAMIND_INPUT`` names another folder, for a rehearsal of the
    rerun."""
    return Path(os.environ.get("SPECTRAMIND_INPUT") or KAGGLE_INPUT)


def find_data_dir(data_dir: str | Path = "", *, input_root: Path | None = None) -> Path:
    """The competition's folder: ``data_dir`` if given, else wherever Kaggle mounts it.

    Kaggle has mounted competitions at ``<input>/<slug>`` and ``<input>/competitions/<slug>``; the folder
    is recognised by ``wavelengths.csv`` or ``axis_info.parquet`` and a ``train`` or ``test`` folder, not by
    its name.
    """
    input_root = input_root or kaggle_input()
    tried = (
        [Path(data_dir).expanduser()]
        if str(data_dir)
        else [
            input_root / COMPETITION,
            input_root / "competitions" / COMPETITION,
            *sorted(
                p.parent
                for depth in ("*", "*/*", "*/*/*")
                for name in _MARKERS
                for p in input_root.glob(f"{depth}/{name}")
            ),
        ]
    )
    for folder in tried:
        if any((folder / name).is_file() for name in _MARKERS) and any(
            (folder / split).is_dir() for split in ("train", "test")
        ):
            return folder.resolve()
    raise DataError(
        "the competition's data were not found",
        where=", ".join(map(str, tried)),
        expected=f"a folder that holds {' or '.join(_MARKERS)}, and train/ or test/",
        found="none of these does",
        fix="pass data_dir, or attach the competition to the kernel",
    )


def find_inputs(name: str, *, input_root: Path | None = None, max_depth: int = 6) -> list[Path]:
    """Files and folders called ``name`` (a glob pattern) in the attached datasets and outputs of earlier
    kernels.

    Kaggle mounts them at ``<input>/<slug>``, ``<input>/datasets/<owner>/<slug>`` or
    ``<input>/notebooks/<owner>/<slug>``, so they are found by name. The competition's own planets are not
    searched, nor what lies inside a match. Returns sorted paths, all read-only; none found is an empty list.
    """
    root = input_root or kaggle_input()
    found: list[Path] = []
    for folder, below, files in os.walk(root):
        if not {*_MARKERS}.isdisjoint(files):  # the competition: a thousand folders that hold nothing of ours
            below.clear()
            continue
        here = Path(folder)
        found += [here / entry for entry in (*below, *files) if fnmatch(entry, name)]
        deep = len(here.relative_to(root).parts) + 1 >= max_depth
        below[:] = [] if deep else [entry for entry in below if not fnmatch(entry, name)]
    return sorted(found)


# ---------------------------------------------------------------- on what


@dataclass(frozen=True)
class Device:
    """A device that has run an operation, and the dtype to train in on it."""

    name: str
    kind: str
    amp_dtype: str
    note: str

    @property
    def uses_amp(self) -> bool:
        return self.amp_dtype != "float32"


def probe_device(wanted: str = "auto") -> Device:
    """Choose a device by running an operation on it, and the autocast dtype by compute capability.

    ``torch.cuda.is_available()`` is true on GPUs for which the installed torch has no kernels (P100), and
    bf16 is reported as supported where it is emulated (T4): so run a matrix product, and take bf16 from
    compute capability 8.0 on, fp16 from 7.0 on, fp32 below.
    """
    import torch

    if wanted not in ("auto", "cpu", "cuda") and not wanted.startswith("cuda:"):
        raise DataError(
            "unknown device", found=wanted, expected="auto, cpu, cuda or cuda:N", fix="correct `device`"
        )
    reason = "no CUDA device"
    if wanted != "cpu" and torch.cuda.is_available():
        target = "cuda" if wanted == "auto" else wanted
        try:
            x = torch.ones(8, 8, device=target)
            if float((x @ x).sum().item()) != 512.0:
                raise RuntimeError("wrong result of a matrix product")
            major, minor = torch.cuda.get_device_capability(target)
            dtype = "bfloat16" if major >= 8 else "float16" if major >= 7 else "float32"
            name = torch.cuda.get_device_name(target)
            return Device(
                name=target,
                kind="cuda",
                amp_dtype=dtype,
                note=f"{name}, sm_{major}{minor}, trains in {dtype}",
            )
        except (RuntimeError, AssertionError) as error:
            why = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
            reason = f"a GPU is there but runs no kernel ({why})"
    if wanted not in ("auto", "cpu"):
        raise DataError(
            "the GPU that was asked for cannot be used",
            where=wanted,
            found=reason,
            fix="use device=auto, or another accelerator in the kernel's settings",
        )
    return Device(
        name="cpu", kind="cpu", amp_dtype="float32", note="CPU" if wanted == "cpu" else f"CPU: {reason}"
    )


def check_seed(seed: int) -> None:
    """Raise ConfigError for a seed that a generator would refuse in the middle of a run."""
    if not 0 <= int(seed) < 2**63:
        raise ConfigError(
            "a seed is out of range",
            where="seed",
            found=repr(seed),
            expected="0 … 2⁶³ − 1",
            fix="e.g. seed=0",
        )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (when it is loaded already or importable)."""
    import random

    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(seed)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, MB (10^6 bytes)."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1.0 if sys.platform == "darwin" else 1024.0) / 1e6


def free_memory_mb(*, root: str | Path = "/") -> float:
    """Memory that can be taken without swapping, MB; infinite where the system does not say.

    The machine's free memory or what a cgroup (a container, a batch job) leaves, whichever is less. ``root``:
    where ``proc`` and ``sys`` are looked for.
    """
    free = float("inf")
    try:
        with open(Path(root, "proc/meminfo"), encoding="ascii") as lines:
            free = next(
                (float(line.split()[1]) * 1024.0 / 1e6 for line in lines if line.startswith("MemAvailable:")),
                free,
            )
    except (OSError, ValueError):
        pass
    return min(free, memory_left_mb(root))


def cpu_count(*, root: str | Path = "/") -> int:
    """Cores that this process may use: not those of the machine, and not more than a cgroup's quota, rounded
    up."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return max(1, min(cores, ceil(min(cores, cpu_quota(root)))))


def describe_environment() -> dict[str, object]:
    """Python, packages and machine, for ``run.json``; ``not_working``: what is installed, was tried, and why
    it is not used."""
    from importlib import metadata

    versions = {}
    for package in (
        "spectramind-kit",
        "torch",
        "numpy",
        "pandas",
        "pyarrow",
        "polars",
        "papermill",
        "hydra-core",
        "omegaconf",
        "mamba-ssm",
        "torch-scatter",
        "pyg-lib",
        "umap-learn",
        "shap",
    ):
        try:
            versions[package] = metadata.version(package)
        except Exception:
            versions[package] = None
    causes = {package: why_not(package) for package in ("polars", "pyarrow", "hydra")}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cpu_count(),
        "free_memory_mb": round(free) if (free := free_memory_mb()) != float("inf") else None,
        "place": where_am_i().name,
        "packages": versions,
        "not_working": {package: why for package, why in causes.items() if why not in ("", NOT_INSTALLED)},
        "parquet_reader": "pyarrow" if causes["polars"] else "polars",
    }


# ---------------------------------------------------------------- how long


class TimeBudget:
    """Hours that a run may take, and what its parts have cost so far.

    ``charge(name, units, seconds)`` learns what one unit of a part costs; ``fits(name, units)`` tells whether
    so many more units would end before the reserve. A part that was never charged fits as long as time is
    left.
    """

    def __init__(self, hours: float, *, reserve: float = 0.05, clock=time.monotonic):
        if not hours > 0:
            raise DataError(
                "a time budget must be positive", found=repr(hours), fix="set budget_hours, e.g. 8.5"
            )
        self._clock, self._start = clock, clock()
        self.total_s = hours * 3600.0
        self.reserve_s = self.total_s * reserve
        self._cost: dict[str, tuple[float, float]] = {}

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._start

    @property
    def left_s(self) -> float:
        """Seconds until the reserve begins; negative when the run is late."""
        return self.total_s - self.reserve_s - self.elapsed_s

    def charge(self, name: str, *, units: float, seconds: float) -> None:
        done, spent = self._cost.get(name, (0.0, 0.0))
        self._cost[name] = (done + units, spent + seconds)

    def seconds_per_unit(self, name: str) -> float | None:
        done, spent = self._cost.get(name, (0.0, 0.0))
        return spent / done if done else None

    def fits(self, name: str, *, units: float) -> bool:
        cost = self.seconds_per_unit(name) or 0.0
        return cost * units < self.left_s


# ---------------------------------------------------------------- said aloud


def say(text: str) -> None:
    """One plain line, at once, in a notebook, a log or a terminal. Never raises: a log that cannot be written
    costs no run."""
    # the reader of the pipe is gone, the disk is full
    with contextlib.suppress(OSError, ValueError):
        print(spell_out(text, getattr(sys.stdout, "encoding", None)), flush=True)


@cache
def say_once(text: str) -> None:
    """`say`, but the same line only once in a process."""
    say(text)


def format_seconds(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = max(0.0, seconds)
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(int(round(seconds)), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # no stderr at all, or a closed one
        return False


def progress(iterable: Iterable, *, desc: str, total: int | None = None, unit: str = "it") -> Iterator:
    """tqdm on a terminal; elsewhere (papermill, a log) a plain line every 30 s with the time left."""
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    if _is_terminal(sys.stderr) and not why_not("tqdm"):
        from tqdm import tqdm

        yield from tqdm(iterable, desc=desc, total=total, unit=unit)
        return
    start = last = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
        now = time.monotonic()
        if now - last >= _PLAIN_PROGRESS_S:
            last = now
            rate = count / (now - start)
            left = f", {format_seconds((total - count) / rate)} left" if total else ""
            say(f"{desc}: {count}{f'/{total}' if total else ''} {unit}, {rate:.2f} {unit}/s{left}")
    if count:
        spent = time.monotonic() - start
        say(f"{desc}: {count} {unit} in {format_seconds(spent)} ({count / max(spent, 1e-9):.2f} {unit}/s)")
