"""What a cgroup (a container, a batch job) leaves this process: memory and processor time, versions 1 and 2.

The machine's own figures do not show these limits: a process that believes them is killed without a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 2.0**60  # version 1 writes "no limit" as a number near 2**63


def memory_left_mb(root: str | Path = "/") -> float:
    """The least that any cgroup above this process leaves, MB; infinite without a limit.

    Limit minus use; files that the kernel only keeps in its cache (``inactive_file``) do not count as used.
    """
    left = float("inf")
    for folder in _folders(root, "memory"):
        limits = [_number(folder / name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        limit = min((value for value in limits if value is not None and value < _UNLIMITED), default=None)
        if limit is None:
            continue
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0.0
        left = min(left, max(0.0, limit - max(0.0, used - _reclaimable(folder))) / 1e6)
    return left


def cpu_quota(root: str | Path = "/") -> float:
    """Processors whose time this process may take, e.g. 1.5; infinite without a quota."""
    quota = float("inf")
    for folder in _folders(root, "cpu"):
        parts = _text(folder / "cpu.max").split()
        if not parts:
            parts = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
        try:
            runtime, period = (float(part) for part in parts)
        except ValueError:  # "max", or no such files
            continue
        if runtime > 0 and period > 0:
            quota = min(quota, runtime / period)
    return quota


def _folders(root: str | Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and those above it that can be seen.

    ``/proc/self/cgroup`` may name a path of the host that does not exist inside the container: there the
    mount's own root holds the limits. So every folder from that path up to the mount is tried.
    """
    mounts = Path(root, "sys/fs/cgroup")
    for line in _text(Path(root, "proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            places = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            places = [mounts / controllers, mounts / controller]
        else:
            continue
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for place in places:
            for depth in range(len(inside), -1, -1):
                folder = place.joinpath(*inside[:depth])
                if folder.is_dir():
                    yield folder


def _reclaimable(folder: Path) -> float:
    found = 0.0
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.strip().isdigit():
            found = max(found, float(value))
    return found


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:  # absent, or "max"
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
