"""Machines and scripts as users have them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from unittest import mock

from robustness_cases import Outcome, case
from robustness_cases._process import environment, run_python, run_script, simulated
from robustness_cases._said import captured, line_with

_case = partial(case, kind="machines")
_NOTEBOOK_MAIN = "import sys; from spectramind_kit.notebook import main; sys.exit(main(sys.argv[1:]))"


@_case("a line with ±, σ on an ASCII stdout", before="UnicodeEncodeError")
def ascii_output(scratch: Path) -> Outcome:
    code = (
        "from spectramind_kit.runtime import say\n"
        "say('5113 \\u00b1 28 ppm, \\u03c3\\u2026'); say('to the end')"
    )
    done = run_python(code, cwd=scratch, PYTHONIOENCODING="ascii")
    wrong = done.returncode != 0 or "to the end" not in done.stdout
    return Outcome(wrong=wrong, note=done.stdout.splitlines()[0] if done.stdout else done.stderr[-120:])


def _notebook(path: Path, line: str) -> Path:
    import nbformat

    cells = [
        nbformat.v4.new_code_cell("seed: int = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(line),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


@_case("a notebook that prints σ, its log is ASCII", before="papermill ends")
def notebook_in_an_ascii_log(scratch: Path) -> Outcome:
    path = _notebook(scratch / "small.ipynb", "print('\\u03c3 = 3'); print('to the end')")
    arguments = (path, "--out", scratch / "out")
    done = run_python(_NOTEBOOK_MAIN, *arguments, cwd=scratch, PYTHONIOENCODING="ascii")
    wrong = done.returncode != 0 or "to the end" not in done.stdout
    return Outcome(wrong=wrong, note=done.stderr[-120:] if done.returncode else "papermill runs to its end")


@_case("{x} and % in --out", before="papermill's missing parameter")
def braces_in_the_path(scratch: Path) -> Outcome:
    path, out = _notebook(scratch / "small.ipynb", "print('to the end')"), scratch / "{x} 50 %"
    done = run_python(_NOTEBOOK_MAIN, path, "--out", out, cwd=scratch)
    there = (out / "small.ipynb").is_file()
    note = "the executed notebook is there" if there else done.stderr[-160:]
    return Outcome(wrong=done.returncode != 0 or not there, note=note)


@_case(
    "a script without a __main__ guard",
    before="75 lines of tracebacks, children write a naive submission.csv over ours",
)
def script_without_guard(scratch: Path) -> Outcome:
    text = """
import sys
open("submission.csv", "a").write("written by the script\\n")
from spectramind_kit.detector import build_light_curves
report = build_light_curves(sys.argv[1], "store", workers=2)
print("visits", len(report.done), len(report.failed))
"""
    done = run_script(text, simulated(scratch, planets=2), cwd=scratch)
    runs = (scratch / "submission.csv").read_text(encoding="utf-8").count("\n")
    right = done.returncode == 0 and "visits 2 0" in done.stdout and runs == 1 and not done.stderr
    lines = len(done.stderr.splitlines())
    return Outcome(wrong=not right, note=f"{runs} run of the script, {lines} lines on stderr")


@_case("/dev/shm cannot be used", before="PermissionError")
def no_semaphores(scratch: Path) -> Outcome:
    from multiprocessing import synchronize

    from spectramind_kit.detector import build_light_curves

    data = simulated(scratch, planets=2)
    refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied: /dev/shm"))
    with mock.patch.object(synchronize.SemLock, "__init__", refuse), captured() as out:
        report = build_light_curves(data, scratch / "store", workers=2)
    said, count = line_with(out.getvalue(), "no worker processes"), len(report.done)
    return Outcome(wrong=count != 2, said=said, note=f"{count} of 2 visits")


@_case("a cgroup of 200 MB and 1 core", before="2 workers of 1 GB")
def limits_of_a_cgroup(scratch: Path) -> Outcome:
    from spectramind_kit.detector import visit_job
    from spectramind_kit.runtime import cpu_count, free_memory_mb

    files = {
        "proc/meminfo": "MemAvailable: 32000000 kB",
        "proc/self/cgroup": "0::/job",
        "sys/fs/cgroup/job/memory.max": "200000000",
        "sys/fs/cgroup/job/memory.current": "50000000",
        "sys/fs/cgroup/job/cpu.max": "100000 100000",
    }
    for name, text in files.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_text(text + "\n", encoding="ascii")
    free, cores = free_memory_mb(root=scratch), cpu_count(root=scratch)
    machine = mock.patch.multiple(visit_job, free_memory_mb=lambda: free, cpu_count=lambda: 8)
    with machine, captured() as out:
        workers = visit_job.choose_workers(100)
    said = line_with(out.getvalue(), "may be killed")
    note = f"{workers} worker, {free:.0f} MB free, {cores} core"
    return Outcome(wrong=workers != 1 or cores != 1, said=said, note=note)


_SLEEPERS = """
import time
from spectramind_kit.worker_processes import worker_pool
with worker_pool(2, task="test") as pool:
    [f.result() for f in [pool.submit(time.sleep, 0.2) for _ in range(4)]]
    print(*pool._processes, flush=True)
    [f.result() for f in [pool.submit(time.sleep, 60) for _ in range(2)]]
"""


@_case("the parent is killed", before="orphans stay")
def orphans(scratch: Path) -> Outcome:
    command = [sys.executable, "-c", _SLEEPERS]
    pipe = dict(stdout=subprocess.PIPE, encoding="utf-8")
    with subprocess.Popen(command, cwd=scratch, env=environment(), **pipe) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while (left := [pid for pid in workers if _runs(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
    note = f"{len(left)} of {len(workers)} workers left after the parent was killed"
    return Outcome(wrong=bool(left) or not workers, note=note)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@_case("a full disk", before='"unexpected failure, please report"')
def full_disk(scratch: Path) -> Outcome:
    from spectramind_kit import whole_file
    from spectramind_kit.detector import build_light_curves

    data = simulated(scratch)
    full = mock.Mock(side_effect=OSError(28, "No space left on device"))
    with mock.patch.object(whole_file.os, "fsync", full), captured():
        report = build_light_curves(data, scratch / "store", workers=1)
    left = [path.name for path in (scratch / "store").rglob("*.npz*")]
    error = report.failed[0].error if report.failed else ""
    said = error.split("|")[0].strip() if "make room" in error else ""
    wrong = bool(left) or "No space left" not in error
    return Outcome(wrong=wrong, said=said, note=f"{len(left)} half files left")


@_case("the user's own Hydra", before="its state is lost")
def own_hydra(scratch: Path) -> Outcome:
    import hydra

    from spectramind_kit.configs import load_config

    (scratch / "mine.yaml").write_text("mine: 5\n", encoding="utf-8")
    with hydra.initialize_config_dir(config_dir=str(scratch), version_base="1.3"):
        load_config(use_hydra=True)
        try:
            found = hydra.compose(config_name="mine").mine
        except Exception as error:
            return Outcome(wrong=True, note=f"{type(error).__name__}: {error}"[:100])
    return Outcome(wrong=found != 5, note="the user's next compose works")


CASES = [
    *(ascii_output, notebook_in_an_ascii_log, braces_in_the_path, script_without_guard, no_semaphores),
    *(limits_of_a_cgroup, orphans, full_disk, own_hydra),
]
