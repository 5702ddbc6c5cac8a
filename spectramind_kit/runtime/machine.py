"""What the machine gives this process: memory, cores, packages."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from math import ceil
from pathlib import Path

from spectramind_kit.optional_packages import NOT_INSTALLED, why_not
from spectramind_kit.runtime.cgroup import cpu_quota, memory_left_mb
from spectramind_kit.runtime.place import where_am_i

_PACKAGES = (
    *("spectramind-kit", "torch", "numpy", "pandas", "pyarrow", "polars", "papermill", "hydra-core"),
    *("omegaconf", "mamba-ssm", "torch-scatter", "pyg-lib", "umap-learn", "shap"),
)


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
        for line in Path(root, "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                free = float(line.split()[1]) * 1024.0 / 1e6
    except (OSError, ValueError):
        pass
    return min(free, memory_left_mb(root))


def cpu_count(*, root: str | Path = "/") -> int:
    """Cores that this process may use: not the machine's, nor more than a cgroup's quota, rounded up."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return max(1, min(cores, ceil(min(cores, cpu_quota(root)))))


def describe_environment() -> dict[str, object]:
    """Python, packages and machine, for ``run.json``; ``not_working``: installed, and why not used."""
    causes = {package: why_not(package) for package in ("polars", "pyarrow", "hydra")}
    free = free_memory_mb()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cpu_count(),
        "free_memory_mb": round(free) if free != float("inf") else None,
        "place": where_am_i().name,
        "packages": {package: _version(package) for package in _PACKAGES},
        "not_working": {package: why for package, why in causes.items() if why not in ("", NOT_INSTALLED)},
        "parquet_reader": "pyarrow" if causes["polars"] else "polars",
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except Exception:  # not installed, or its metadata are damaged
        return None


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Small arrays: threads inside an operation cost more than they bring, and jobs share the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
