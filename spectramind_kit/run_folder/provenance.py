"""Which results belong together: the submission, the predictions behind it, the bundle, the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import file_fingerprint, what_changed
from spectramind_kit.metric import N_BINS
from spectramind_kit.run_folder.files import SUBMISSION
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.submission import build_submission, read_submission

_REPORT_OF = re.compile(r'<meta name="submission" content="([0-9a-f]*)">')


def submission_fingerprint(folder: Path) -> str:
    """Of a run's ``submission.csv``; empty where there is none."""
    path = Path(folder) / SUBMISSION
    return file_fingerprint(path) if path.is_file() else ""


def submission_differs(submission: Path, predictions: Path) -> str:
    """Why ``submission.csv`` is not what ``predictions/test.npz`` holds, in words; empty where it is.

    Rows are matched by planet_id; a depth or sigma is the same within 1e-6 of itself, which a CSV keeps.
    """
    frame = read_submission(submission)
    try:
        predicted = Predictions.load(predictions)
        ids = predicted.planet_id.tolist()
        expected = build_submission(ids, predicted.depth_mean, depth_sigma=predicted.depth_sigma)
    except DataError as error:
        return f"the predictions cannot be read ({type(error.__cause__ or error).__name__})"
    same = set(ids) & set(frame["planet_id"])
    if not len(same) == len(ids) == len(frame) or frame.shape[1] != 1 + 2 * N_BINS:
        return f"other planets ({len(ids)} predicted, {len(frame)} submitted, {len(same)} of them the same)"
    found = frame.set_index("planet_id").loc[ids].to_numpy(dtype=np.float64)
    wanted = expected.drop(columns="planet_id").to_numpy(dtype=np.float64)
    differs = ~np.isclose(found, wanted, rtol=1e-6, atol=1e-12).all(axis=1)
    if differs.any():
        first = ids[int(np.argmax(differs))]
        return f"other numbers for {int(differs.sum())} of {len(ids)} planets, the first {first}"
    return ""


def predictions_doubts(predictions: Path, bundle: Mapping[str, Any]) -> list[str]:
    """What speaks against ``test.npz`` or ``oof.npz`` beside a run's ``bundle.json``, in words."""
    if not predictions.is_file() or not bundle.get("fingerprint"):
        return []
    try:
        made_from = Predictions.load(predictions).made_from
    except DataError:
        return []
    if predictions.stem == "test":
        if made_from.get("bundle") == bundle["fingerprint"]:
            return []
        return [f"{predictions.name} was not made with the present bundle: run 03_submit again"]
    changed = what_changed(made_from, bundle.get("made_from") or {})
    if not changed:
        return []
    what = f"{predictions.name} is not of the training of the present bundle ({', '.join(changed)})"
    return [f"{what}: run 02_train again"]


def report_is_of(report: Path, submission: str) -> bool:
    """Whether a report was made from the submission with this fingerprint."""
    with open(report, encoding="utf-8", errors="replace") as file:
        found = _REPORT_OF.search(file.read(4096))
    return found is not None and found.group(1) == submission
