"""Machines, scripts and accounts as users have them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from robustness_cases import Case, Outcome
from robustness_cases.packages import ROOT, line_with, run_python, simulated
from spectramind_kit.errors import DataError

KIND = "machines"


def _script(scratch: Path, text: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    (scratch / "mine.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "mine.py", *map(str, arguments)],
        cwd=scratch,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        timeout=300,
    )


def ascii_output(scratch: Path) -> Outcome:
    done = run_python(
        "from spectramind_kit.runtime import say\n"
        "say('5113 \\u00b1 28 ppm, \\u03c3\\u2026'); say('to the end')",
        cwd=scratch,
        PYTHONIOENCODING="ascii",
    )
    return Outcome(
        wrong=done.returncode != 0 or "to the end" not in done.stdout,
        note=done.stdout.splitlines()[0] if done.stdout else done.stderr[-120:],
    )


def _notebook(path: Path, line: str) -> Path:
    import nbformat

    cells = [
        nbformat.v4.new_code_cell("seed: int = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(line),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def notebook_in_an_ascii_log(scratch: Path) -> Outcome:
    path = _notebook(scratch / "small.ipynb", "print('\\u03c3 = 3'); print('to the end')")
    done = run_python(
        "import sys; from spectramind_kit.notebook import main; sys.exit(main(sys.argv[1:]))",
        path,
        "--out",
        scratch / "out",
        cwd=scratch,
        PYTHONIOENCODING="ascii",
    )
    return Outcome(
        wrong=done.returncode != 0 or "to the end" not in done.stdout,
        note="papermill runs to its end" if not done.returncode else done.stderr[-120:],
    )


def braces_in_the_path(scratch: Path) -> Outcome:
    path = _notebook(scratch / "small.ipynb", "print('to the end')")
    done = run_python(
        "import sys; from spectramind_kit.notebook import main; sys.exit(main(sys.argv[1:]))",
        path,
        "--out",
        scratch / "{x} 50 %",
        cwd=scratch,
    )
    there = (scratch / "{x} 50 %" / "small.ipynb").is_file()
    return Outcome(
        wrong=done.returncode != 0 or not there,
        note="the executed notebook is there" if there else done.stderr[-160:],
    )


def script_without_guard(scratch: Path) -> Outcome:
    data = simulated(scratch, planets=2)
    done = _script(
        scratch,
        """
import sys
open("submission.csv", "a").write("written by the script\\n")
from spectramind_kit.detector.store import build_light_curves
report = build_light_curves(sys.argv[1], "store", workers=2)
print("visits", len(report.done), len(report.failed))
""",
        data,
    )
    runs = (scratch / "submission.csv").read_text(encoding="utf-8").count("\n")
    right = done.returncode == 0 and "visits 2 0" in done.stdout and runs == 1 and not done.stderr
    return Outcome(
        wrong=not right, note=f"{runs} run of the script, {len(done.stderr.splitlines())} lines on stderr"
    )


def no_semaphores(scratch: Path) -> Outcome:
    from multiprocessing import synchronize

    from spectramind_kit.detector.store import build_light_curves

    data = simulated(scratch, planets=2)

    def refuse(*arguments, **settings):
        raise PermissionError(13, "Permission denied: /dev/shm")

    with mock.patch.object(synchronize.SemLock, "__init__", refuse), redirect_stdout(StringIO()) as out:
        report = build_light_curves(data, scratch / "store", workers=2)
    return Outcome(
        wrong=len(report.done) != 2,
        said=line_with(out.getvalue(), "no worker processes"),
        note=f"{len(report.done)} of 2 visits",
    )


def limits_of_a_cgroup(scratch: Path) -> Outcome:
    from spectramind_kit.detector import store
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
    with (
        mock.patch.object(store, "free_memory_mb", lambda: free),
        mock.patch.object(store, "cpu_count", lambda: 8),
        redirect_stdout(StringIO()) as out,
    ):
        workers = store.choose_workers(100)
    return Outcome(
        wrong=workers != 1 or cores != 1,
        said=line_with(out.getvalue(), "may be killed"),
        note=f"{workers} worker, {free:.0f} MB free, {cores} core",
    )


def orphans(scratch: Path) -> Outcome:
    (scratch / "mine.py").write_text(
        """
import time
from spectramind_kit.worker_processes import worker_pool
with worker_pool(2, task="test") as pool:
    [f.result() for f in [pool.submit(time.sleep, 0.2) for _ in range(4)]]
    print(*pool._processes, flush=True)
    [f.result() for f in [pool.submit(time.sleep, 60) for _ in range(2)]]
""",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, "mine.py"],
        cwd=scratch,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while (left := [pid for pid in workers if _runs(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
    return Outcome(
        wrong=bool(left) or not workers,
        note=f"{len(left)} of {len(workers)} workers left after the parent was killed",
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def full_disk(scratch: Path) -> Outcome:
    from spectramind_kit import whole_file
    from spectramind_kit.detector.store import build_light_curves

    data = simulated(scratch)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with mock.patch.object(whole_file.os, "fsync", full), redirect_stdout(StringIO()):
        report = build_light_curves(data, scratch / "store", workers=1)
    left = [path.name for path in (scratch / "store").rglob("*.npz*")]
    error = report.failed[0].error if report.failed else ""
    return Outcome(
        wrong=bool(left) or "No space left" not in error,
        said=error.split("|")[0].strip() if "make room" in error else "",
        note=f"{len(left)} half files left",
    )


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


def _owner(scratch: Path, **variables: str) -> tuple[str, str]:
    """What `configured_owner` gives, and its error; Kaggle cannot be reached from here."""
    sys.path.insert(0, str(ROOT))
    try:
        from scripts.kaggle_release.account import configured_owner
    finally:
        sys.path.remove(str(ROOT))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("KAGGLE_") and "proxy" not in name.lower()
    }
    nowhere = {
        "HOME": str(scratch),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    with (
        mock.patch.dict(os.environ, {**kept, **nowhere, **variables}, clear=True),
        redirect_stderr(StringIO()),
    ):
        try:
            return configured_owner(), ""
        except DataError as error:
            return "", str(error)


def damaged_kaggle_json(scratch: Path) -> Outcome:
    (scratch / ".kaggle").mkdir()
    (scratch / ".kaggle" / "kaggle.json").write_text(
        json.dumps({"username": "me", "key": "k"})[:-3], encoding="utf-8"
    )
    owner, error = _owner(scratch)
    return Outcome(
        wrong=bool(owner) or "kaggle.json" not in error,
        said=error.split("|")[0].strip() if "kaggle.json cannot be used" in error else "",
    )


def only_a_token(scratch: Path) -> Outcome:
    owner, error = _owner(scratch, KAGGLE_API_TOKEN="KGAT_0")
    named, _ = _owner(scratch, KAGGLE_API_TOKEN="KGAT_0", KAGGLE_USERNAME="me")
    return Outcome(
        wrong=bool(owner) or named != "me",
        said=error.split("|")[0].strip() if "only a new-style API token" in error else "",
        note="with KAGGLE_USERNAME or --owner it is enough",
    )


CASES = [
    Case("a line with ±, σ on an ASCII stdout", KIND, "UnicodeEncodeError", ascii_output),
    Case("a notebook that prints σ, its log is ASCII", KIND, "papermill ends", notebook_in_an_ascii_log),
    Case("{x} and % in --out", KIND, "papermill's missing parameter", braces_in_the_path),
    Case(
        "a script without a __main__ guard",
        KIND,
        "75 lines of tracebacks, children write a naive submission.csv over ours",
        script_without_guard,
    ),
    Case("/dev/shm cannot be used", KIND, "PermissionError", no_semaphores),
    Case("a cgroup of 200 MB and 1 core", KIND, "2 workers of 1 GB", limits_of_a_cgroup),
    Case("the parent is killed", KIND, "orphans stay", orphans),
    Case("a full disk", KIND, '"unexpected failure, please report"', full_disk),
    Case("the user's own Hydra", KIND, "its state is lost", own_hydra),
    Case("a damaged kaggle.json", KIND, '"no Kaggle account is configured"', damaged_kaggle_json),
    Case(
        "only a new-style token, Kaggle out of reach", KIND, '"no Kaggle account is configured"', only_a_token
    ),
]
