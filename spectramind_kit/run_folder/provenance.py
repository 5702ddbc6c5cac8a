"""Which results belong together: the submission, the predictions behind it, the bundle, the report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import file_fingerprint, from_text, what_changed
from spectramind_kit.inference.bundle import Bundle, table_fingerprints
from spectramind_kit.metric import N_BINS
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.submission import build_submission, read_submission

_REPORT_OF = re.compile(r'<meta name="submission" content="([0-9a-f]*)">')


def submission_fingerprint(folder: Path) -> str:
    """Of a run's ``submission.csv``; empty where there is none."""
    path = Path(folder) / "submission.csv"
    return file_fingerprint(path) if path.is_file() else ""


def submission_differs(submission: Path, predictions: Path) -> str:
    """Why ``submission.csv`` is not what ``predictions/test.npz`` holds, in words; empty where it is.

    Rows are matched by planet_id; a depth or sigma counts as the same within 1e-6 of itself, which a CSV
    keeps.
    """
    frame = read_submission(submission)
    try:
        with np.load(predictions, allow_pickle=False) as arrays:
            ids = [int(p) for p in arrays["planet_id"]]
            expected = build_submission(ids, arrays["depth_mean"], depth_sigma=arrays["depth_sigma"])
    except (OSError, ValueError, KeyError, EOFError, DataError) as error:
        return f"the predictions cannot be read ({type(error).__name__})"
    missing, extra = set(ids) - set(frame["planet_id"]), set(frame["planet_id"]) - set(ids)
    if missing or extra or len(frame) != len(ids) or frame.shape[1] != 1 + 2 * N_BINS:
        same = len(ids) - len(missing)
        return f"other planets ({len(ids)} predicted, {len(frame)} submitted, {same} of them the same)"
    found = frame.set_index("planet_id").loc[ids].to_numpy(dtype=np.float64)
    wanted = expected.drop(columns="planet_id").to_numpy(dtype=np.float64)
    differs = ~np.isclose(found, wanted, rtol=1e-6, atol=1e-12).all(axis=1)
    if differs.any():
        first = ids[int(np.argmax(differs))]
        return f"other numbers for {int(differs.sum())} of {len(ids)} planets, the first {first}"
    return ""


def bundle_doubts(bundle: Bundle, *, root: Path, data_dir: Path) -> list[str]:
    """What speaks against using a bundle, in words: the competition's tables have changed, or its training
    did not end."""
    doubts = []
    now = table_fingerprints(data_dir)
    known = {name: value for name, value in bundle.tables.items() if name in now}
    changed = what_changed(known, now) if bundle.tables else []
    if changed:
        doubts.append(f"it was trained with another {' and '.join(changed)}")
    train = read_json(Path(root) / "run.json").get("stages", {}).get("train")
    if train is not None and bundle.folder.parent == Path(root) and train.get("bundle") != bundle.fingerprint:
        doubts.append("02_train has been started since, and has not come to its end")
    return doubts


def predictions_doubts(predictions: Path, bundle: Path) -> list[str]:
    """What speaks against ``test.npz`` or ``oof.npz`` beside the bundle of the same run, in words."""
    content = read_json(bundle)
    if not predictions.is_file() or not content.get("fingerprint"):
        return []
    try:
        with np.load(predictions, allow_pickle=False) as arrays:
            made_from = from_text(str(arrays["made_from"])) if "made_from" in arrays.files else {}
    except (OSError, ValueError, KeyError, EOFError):
        return []
    if predictions.stem == "test":
        if made_from.get("bundle") == content["fingerprint"]:
            return []
        return [f"{predictions.name} was not made with the present bundle: run 03_submit again"]
    changed = what_changed(made_from, content.get("made_from") or {})
    if not changed:
        return []
    what = f"{predictions.name} is not of the training of the present bundle ({', '.join(changed)})"
    return [f"{what}: run 02_train again"]


def report_is_of(report: Path, submission: str) -> bool:
    """Whether a report was made from the submission with this fingerprint."""
    with open(report, encoding="utf-8", errors="replace") as file:
        found = _REPORT_OF.search(file.read(4096))
    return found is not None and found.group(1) == submission
