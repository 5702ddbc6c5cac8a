"""Build, validate and write ``submission.csv``: 567 columns, one row per planet of the test folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.csv_table import read_cells
from spectramind_kit.detector.planet_rows import whole_number
from spectramind_kit.errors import DataError
from spectramind_kit.metric import N_BINS, Metric, SubmissionError, check_numeric
from spectramind_kit.whole_file import whole_file

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_SIGMA = 1e-6  # 1 ppm: the metric's own sigma_true of FGS1; nothing honest is below it


def submission_columns() -> list[str]:
    """``planet_id, wl_1 … wl_283, sigma_1 … sigma_283``."""
    return ["planet_id", *(f"{name}_{k}" for name in ("wl", "sigma") for k in range(1, N_BINS + 1))]


def build_submission(
    planet_ids: Sequence[int], depth_mean: np.ndarray, *, depth_sigma: np.ndarray
) -> pd.DataFrame:
    """A submission frame from arrays.

    Parameters
    ----------
    planet_ids : sequence of int, length N
    depth_mean, depth_sigma : array (N, 283)
        Transit depths and their 1-sigma errors, index 0 FGS1. Negative depths become 0 (the host refuses
        them), sigmas below 1 ppm become 1 ppm. NaN is not repaired: `validate_submission` names it.
    """
    import pandas as pd

    mean, sigma = np.asarray(depth_mean, dtype=np.float64), np.asarray(depth_sigma, dtype=np.float64)
    expected = (len(planet_ids), N_BINS)
    if mean.shape != expected or sigma.shape != expected:
        raise SubmissionError(
            "predictions have the wrong shape",
            expected=f"{expected} for depth_mean and depth_sigma",
            found=f"{mean.shape} and {sigma.shape}",
        )
    values = np.concatenate([np.clip(mean, 0.0, None), np.clip(sigma, SMALLEST_SIGMA, None)], axis=1)
    frame = pd.DataFrame(values, columns=submission_columns()[1:])
    frame.insert(0, "planet_id", np.asarray([int(p) for p in planet_ids], dtype=np.int64))
    return frame


def fallback_submission(planet_ids: Sequence[int], *, metric: Metric | None = None) -> pd.DataFrame:
    """The naive prediction for every planet: scores 0, but is valid. Written before anything heavy begins."""
    depth, sigma = (metric or Metric()).naive((len(planet_ids), N_BINS))
    return build_submission(planet_ids, depth, depth_sigma=sigma)


def validate_submission(frame: pd.DataFrame, planet_ids: Sequence[int]) -> pd.DataFrame:
    """Return ``frame`` if the host will take it and its rows are exactly ``planet_ids``, in this order.

    Raises `SubmissionError` with the first column or planet that is wrong: names and order of the columns,
    rows, numeric and finite values, depth >= 0, sigma > 0.
    """
    ids = [int(p) for p in planet_ids]
    _check_columns(list(frame.columns))
    _check_rows(frame["planet_id"].tolist(), ids)
    check_numeric(frame)
    _check_values(frame.iloc[:, 1:].to_numpy(dtype=np.float64), ids)
    return frame


def _check_columns(given: list[str]) -> None:
    expected = submission_columns()
    if given == expected:
        return
    shared = min(len(given), len(expected))
    first = next((i for i in range(shared) if given[i] != expected[i]), shared)
    here, there = (names[first] if first < len(names) else "none" for names in (given, expected))
    raise SubmissionError(
        "wrong columns in the submission",
        where=f"column {first + 1}",
        expected=f"{len(expected)} columns, here '{there}'",
        found=f"{len(given)} columns, here '{here}'",
        fix="use build_submission",
    )


def _check_rows(found: list[int], ids: list[int]) -> None:
    if found != ids:
        missing, extra = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
        other = f"missing {missing[:5]}, extra {extra[:5]}"
        raise SubmissionError(
            "the submission's rows are not the test planets",
            expected=f"{len(ids)} planets",
            found=f"{len(found)} rows; "
            + (other if missing or extra else "the same planets in another order"),
            fix="take the rows from the test folder, not from sample_submission.csv",
        )
    if len(set(ids)) != len(ids):
        twice = next(p for k, p in enumerate(ids) if p in ids[:k])
        raise SubmissionError(
            "a planet stands twice in the submission",
            where=f"planet {twice}",
            expected="one row per planet",
            found=f"{len(ids)} rows of {len(set(ids))} planets",
            fix="take the rows from the test folder",
        )


def _check_values(values: np.ndarray, ids: list[int]) -> None:
    zero_sigma = values == 0
    zero_sigma[:, :N_BINS] = False
    for name, bad in (
        ("not finite", ~np.isfinite(values)),
        ("negative", values < 0),
        ("a zero sigma", zero_sigma),
    ):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise SubmissionError(
                f"{int(bad.sum())} values of the submission are {name}",
                where=f"planet {ids[row]}, column {submission_columns()[1 + column]}",
                expected="finite, depth >= 0, sigma > 0",
                found=repr(float(values[row, column])),
            )


def write_submission(frame: pd.DataFrame, path: str | Path, *, planet_ids: Sequence[int]) -> Path:
    """Validate, then write the CSV in one step: a reader sees the old file or the new one, never a half."""
    path = Path(path)
    validate_submission(frame, planet_ids)
    with whole_file(path) as part:
        frame.to_csv(part, index=False)
    return path


def read_submission(path: str | Path) -> pd.DataFrame:
    """Read a submission: ``planet_id`` as int even where it stands as ``1103775.0``, columns as in the file.

    Raises
    ------
    DataError
        No such file, no table, or a row without a whole planet_id. What else is wrong, `validate_submission`
        names: a cell that is no number leaves its column text.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError("file not found", where=str(path), fix="check the path")
    frame = read_cells(path)
    if "planet_id" not in frame.columns:
        found = ", ".join(map(str, frame.columns[:3]))
        raise DataError("no planet_id column", where=str(path), expected="planet_id first", found=found)
    ids = [whole_number(text) for text in frame["planet_id"]]
    if None in ids:
        row = ids.index(None)
        raise DataError(
            "a planet_id is no whole number",
            where=f"{path}, row {row + 1}",
            expected="e.g. 1103775",
            found=repr(frame["planet_id"].iloc[row]),
        )
    columns = {name: _as_numbers(frame[name]) for name in frame.columns}
    return pd.DataFrame(columns | {"planet_id": np.array(ids, dtype=np.int64)})


def _as_numbers(cells: pd.Series) -> pd.Series:
    try:
        return cells.replace("", "nan").astype(np.float64)
    except ValueError:
        return cells
