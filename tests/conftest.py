"""What every test shares: one thread, no display, and the real competition files where they are to be had."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder with real files of the competition, named by ARIEL_REFERENCE_DATA; skips where it is unset."""
    folder = os.environ.get("ARIEL_REFERENCE_DATA", "")
    if not folder:
        pytest.skip(
            "ARIEL_REFERENCE_DATA is unset: it names a folder with real competition files, which the project "
            "may not ship"
        )
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"ARIEL_REFERENCE_DATA names {folder}, which is not a folder")
    return path


@pytest.fixture(scope="session")
def work_dir(tmp_path_factory) -> Path:
    """Predictions, log, run.json and truth.csv, no light curves; a test that writes into it copies it
    first."""
    from tests.run_example import write_run

    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture
def run(work_dir, tmp_path):
    """The same run, writing its figures into a folder of the test's own."""
    import shutil

    from spectramind_kit.run_folder import open_run

    shutil.copytree(work_dir, tmp_path / "run")
    return open_run(tmp_path / "run", truth=tmp_path / "run" / "truth.csv")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """02 and 03 of a run of light curves (`tests.stale_run`); a test that changes it takes ``small_run``."""
    from tests.stale_run import make_small_run

    run = make_small_run(tmp_path_factory.mktemp("small"))
    with pytest.MonkeyPatch.context() as patch:
        run.train()
        run.submit(patch)
    return run


@pytest.fixture
def small_run(finished_run, tmp_path):
    """The same in a folder of the test's own."""
    return finished_run.copy(tmp_path / "copy")


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """Small-op scans are up to five times slower with two threads."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter) -> None:
    """What was skipped, in one line: how many tests for which reason."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if reasons:
        terminalreporter.write_line(
            "skipped: " + "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
        )


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").splitlines()[0].strip()
