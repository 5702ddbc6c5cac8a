"""`spectramind_kit.worker_processes`: from any script, on any machine, and gone with the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spectramind_kit import worker_processes
from spectramind_kit.errors import DataError
from spectramind_kit.worker_processes import worker_pool

ROOT = Path(__file__).parents[1]


def script(folder: Path, text: str) -> list[str]:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return [sys.executable, str(folder / "mine.py")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8", timeout=120
    )


def test_workers_compute_in_other_processes():
    """Guards against a pool that does the work in this process."""
    with worker_pool(2, task="test") as pool:
        found = {pool.submit(os.getpid).result() for _ in range(4)}
        threads = pool.submit(os.getenv, "OMP_NUM_THREADS").result()
    assert os.getpid() not in found and threads == "1"


def test_a_script_without_guard_runs_once(tmp_path):
    """Guards against workers that run the user's script again: 75 lines of tracebacks, and files written over
    ours."""
    done = run(
        script(
            tmp_path,
            """
import os
print("the script runs")
open("submission.csv", "a").write("naive\\n")
from spectramind_kit.worker_processes import worker_pool
with worker_pool(2, task="test") as pool:
    pids = {f.result() for f in [pool.submit(os.getpid) for _ in range(8)]}
print("workers", os.getpid() not in pids, __file__.endswith("mine.py"), __spec__)
""",
        ),
        tmp_path,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.splitlines() == ["the script runs", "workers True True None"]
    assert (tmp_path / "submission.csv").read_text(encoding="utf-8") == "naive\n"


@pytest.mark.slow
def test_light_curves_from_a_script_without_guard(tmp_path):
    """Guards the public function from end to end: right results, one line of progress, nothing on stderr."""
    competition = run(
        script(
            tmp_path,
            """
from spectramind_kit.simulator import simulate_competition
from spectramind_kit.detector import build_light_curves
simulated = simulate_competition("simulated", n_train=2, n_test=0, seed=3, cadence="reduced")
report = build_light_curves(simulated.data_dir, "store", workers=2)
print("done", len(report.done), report.failed)
""",
        ),
        tmp_path,
    )
    assert competition.returncode == 0 and "done 2 []" in competition.stdout, competition.stderr
    assert competition.stdout.count("light curves (train)") == 1 and "Traceback" not in competition.stderr


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        OSError(38, "Function not implemented"),
        FileNotFoundError(2, "No such file or directory"),
        ImportError("no sem_open"),
        NotImplementedError("no queues"),
    ],
)
def test_without_semaphores_the_work_is_done_here(monkeypatch, capsys, error):
    """Guards against a traceback on a machine whose /dev/shm cannot be used, though one process could do the
    work."""
    import multiprocessing.synchronize

    def refuse(*arguments, **settings):
        raise error

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    with worker_pool(2, task="light curves") as pool:
        assert pool is None
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "light curves: no worker processes" in out and str(error) in out


def test_no_room_for_a_process_is_no_error(monkeypatch, capsys):
    """Guards against a limit on processes (a pids cgroup, ulimit -u) that ends the run."""
    import multiprocessing.popen_spawn_posix

    def refuse(*arguments, **settings):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.popen_spawn_posix.Popen, "_launch", refuse)
    with worker_pool(2, task="test") as pool:
        assert pool is None
    assert "Resource temporarily unavailable" in capsys.readouterr().out


def test_a_worker_of_someone_elses_pool_works_alone(monkeypatch, capsys):
    """Guards against 'daemonic processes are not allowed to have children' from a user's own
    multiprocessing.Pool."""
    monkeypatch.setattr(worker_processes, "current_process", lambda: type("P", (), {"daemon": True})())
    with worker_pool(2, task="test") as pool:
        assert pool is None
    assert "cannot have workers of its own" in capsys.readouterr().out


def test_a_script_that_a_users_own_workers_import_again_is_told(tmp_path):
    """Guards against a storm of tracebacks without the one sentence that helps."""
    with pytest.raises(DataError, match="__main__"):
        process = worker_processes.current_process()
        process._inheriting = True
        try:
            with worker_pool(2, task="test"):
                pass
        finally:
            del process._inheriting


SLEEPERS = """
import os, sys, time
from spectramind_kit.worker_processes import worker_pool
with worker_pool(2, task="test") as pool:
    first = [pool.submit(time.sleep, 0.2) for _ in range(4)]
    [f.result() for f in first]
    print(*[p.pid for p in pool._processes.values()], flush=True)
    [f.result() for f in [pool.submit(time.sleep, 60) for _ in range(2)]]
"""


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to look processes up in")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_workers_end_with_their_parent(tmp_path, how):
    """Guards against orphans that keep a gigabyte each, and against a traceback of each worker at Ctrl-C."""
    with subprocess.Popen(
        script(tmp_path, SLEEPERS),
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        # a shell that starts the tests in the background has it ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert workers and all(map(alive, workers))
        time.sleep(0.3)
        if how == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            process.send_signal(getattr(signal, how))
        process.wait(timeout=20)
        deadline = time.monotonic() + 10
        while any(map(alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(alive, workers))
        errors = process.stderr.read()
    if how == "SIGINT":
        assert errors.count("Traceback") <= 1 and "KeyboardInterrupt" in errors, errors


def test_an_error_in_the_block_does_not_wait_for_what_is_under_way():
    """Guards against an error (or a notebook's stop button) that shows only after minutes of other work."""
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError), worker_pool(1, task="test") as pool:
        pool.submit(time.sleep, 60)
        time.sleep(0.2)
        raise ZeroDivisionError
    assert time.monotonic() - start < 20
