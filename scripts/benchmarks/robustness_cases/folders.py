"""Test folders as they are copied and edited, on copies of a small competition."""

from __future__ import annotations

import shutil
from pathlib import Path

from robustness_cases import Case
from robustness_cases._damage import STARS, own_files
from robustness_cases._small_competition import after, stage


def _stray_folders(data: Path) -> None:
    first = str(stage().ids[0])
    for name in (f"{first}_1", "inf", "nan", "1e5", "007", f"{first}.0", ".cache", "notes"):
        (data / "test" / name).mkdir()
    (data / "test" / "999").write_text("a file")


def _odd_visit_names(data: Path) -> None:
    files = own_files(data)
    for name in ("FGS1_signal_00.parquet", "FGS1_signal_0 (1).parquet"):
        shutil.copy(files / "FGS1_signal_0.parquet", files / name)


def _empty_test_folder(data: Path) -> None:
    shutil.rmtree(data / "test")
    (data / "test").mkdir()


def _nothing_at_all(data: Path) -> None:
    _empty_test_folder(data)
    for name in (STARS, "sample_submission.csv"):
        (data / name).write_bytes(b"")


_RAISED = "raised before the fallback"
_CASES = (
    (
        "stray folders `<id>_1`, `inf`, `1e5`, `007`, `<id>.0` in test/",
        "a phantom planet, or raised before the fallback",
        after(_stray_folders),
    ),
    ("signals named _00 and `_0 (1)`", "right, nothing said", after(_odd_visit_names)),
    ("an empty test/ folder", _RAISED, after(_empty_test_folder, concerns=range(4))),
    ("no test planet named anywhere", _RAISED, after(_nothing_at_all, rows=())),
)
CASES = [Case(name, "tables", before, run) for name, before, run in _CASES]
