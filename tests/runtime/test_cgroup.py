"""`runtime.cgroup`, and what `runtime.machine` makes of it, on made-up trees of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectramind_kit.detector.visit_job import choose_workers
from spectramind_kit.runtime import cpu_count, free_memory_mb
from spectramind_kit.runtime.cgroup import cpu_quota, memory_left_mb

MB = 10**6


def tree(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n", encoding="ascii")
    return root


V2 = {
    "proc/self/cgroup": "0::/job/step",
    "sys/fs/cgroup/job/memory.max": 200 * MB,
    "sys/fs/cgroup/job/memory.current": 150 * MB,
    "sys/fs/cgroup/job/memory.stat": f"anon 1\ninactive_file {50 * MB}\nactive_file 7",
    "sys/fs/cgroup/job/step/memory.max": "max",
    "sys/fs/cgroup/job/cpu.max": "150000 100000",
    "sys/fs/cgroup/job/step/cpu.max": "max 100000",
}
V1 = {
    "proc/self/cgroup": "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": 200 * MB,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": 150 * MB,
    "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {50 * MB}",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": 150000,
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": 100000,
}


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_a_limit_above_the_process_counts(tmp_path, files):
    """Guards against a kill without a message: two workers of 1 GB in a container of 200 MB. The limit may
    stand at a parent folder, and inside a container the path of /proc does not exist; cached files are no
    used memory."""
    tree(tmp_path, files | {"proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB"})
    assert memory_left_mb(tmp_path) == pytest.approx(100.0)
    assert free_memory_mb(root=tmp_path) == pytest.approx(100.0)
    assert cpu_quota(tmp_path) == pytest.approx(1.5)
    assert cpu_count(root=tmp_path) == min(2, cpu_count(root=tmp_path / "nothing"))


def test_the_machine_counts_where_it_has_less(tmp_path):
    """Guards against a generous container on a machine whose memory others have taken."""
    tree(tmp_path, V2 | {"proc/meminfo": "MemAvailable: 50000 kB"})
    assert free_memory_mb(root=tmp_path) == pytest.approx(51.2)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/"},
        {"proc/self/cgroup": "nonsense"},
        {"proc/self/cgroup": "0::/x", "sys/fs/cgroup/memory.max": "max"},
        {"proc/self/cgroup": "5:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712},
        {
            "proc/self/cgroup": "3:cpu:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": -1,
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100000,
        },
    ],
)
def test_no_limit_is_no_limit(tmp_path, files):
    """Guards against version 1's 'unlimited' (a number), against -1 processors, and against a machine without
    cgroups."""
    tree(tmp_path, files)
    assert memory_left_mb(tmp_path) == float("inf") and cpu_quota(tmp_path) == float("inf")
    assert free_memory_mb(root=tmp_path) == float("inf") and cpu_count(root=tmp_path) >= 1


def test_more_used_than_allowed_is_nothing_left(tmp_path):
    """Guards against negative memory, and against half a processor becoming none."""
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": 10,
            "sys/fs/cgroup/memory.current": 20,
            "sys/fs/cgroup/cpu.max": "50000 100000",
        },
    )
    assert memory_left_mb(tmp_path) == 0.0 and cpu_count(root=tmp_path) == 1


def test_workers_follow_the_limit(tmp_path, monkeypatch, capsys):
    """Guards against workers that the machine could hold and the container cannot: one process, and a word of
    warning."""
    import spectramind_kit.detector.visit_job as visit_job

    tree(tmp_path, V2 | {"proc/meminfo": "MemAvailable: 32000000 kB"})
    monkeypatch.setattr(visit_job, "cpu_count", lambda: 16)
    monkeypatch.setattr(visit_job, "free_memory_mb", lambda: free_memory_mb(root=tmp_path))
    assert choose_workers(100) == 1
    assert "100 MB are free" in capsys.readouterr().out
    assert choose_workers(100, workers=2) == 2, "asked for: done, and said"
    assert "2 workers, as asked, may take 2.0 GB; 0.1 GB are free" in capsys.readouterr().out
