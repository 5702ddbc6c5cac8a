"""Score a run against a truth: the submission beside the naive prediction and the flat-depth baseline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from spectramind_kit.command_line import run_command
from spectramind_kit.detector.spectra import DEEPEST, read_spectra
from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric, gll_score
from spectramind_kit.run_folder.files import LOG, REPORT, RUN_JSON, SUBMISSION, TEST
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.run_folder.logbook import Logbook
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.provenance import report_is_of, submission_differs, submission_fingerprint
from spectramind_kit.runtime import format_seconds, say
from spectramind_kit.submission import read_submission, validate_submission


def score_run(work_dir: str | Path, truth: str | Path) -> dict[str, float]:
    """Official scores by name (``naive``, ``flat depth``, ``anchor``, ``submission``) on the truth's planets.

    Every planet of the submission must be in the truth; rows are matched by planet_id, which the host does
    not do. A planet whose truth is not complete (empty, no number, or given twice with different depths) is
    left out of the scores, and told. The scores also go into ``metrics.jsonl`` and ``run.json``. Where
    ``predictions/test.npz`` is not what was submitted, the stages before it have no score, and a line says
    so.
    """
    work_dir = Path(work_dir)
    submission = read_submission(work_dir / SUBMISSION)
    validate_submission(submission, submission["planet_id"].tolist())
    submission, solution = _with_truth(submission, Path(truth))
    naive = read_json(work_dir / RUN_JSON).get("naive")
    if not naive:
        where, fix = str(work_dir / RUN_JSON), "run 02_train first"
        raise DataError("the run does not know the naive statistics", where=where, fix=fix)
    metric, depth = Metric.from_dict(naive), solution.to_numpy(dtype=np.float64)
    scores = {"naive": metric.score(depth, *metric.naive(depth.shape))}
    predictions = work_dir / TEST
    differs = submission_differs(work_dir / SUBMISSION, predictions)
    if differs:
        what = f"{predictions} is not what submission.csv holds: {differs}"
        say(f"{what}. Flat depth and anchor are not scored; run 03_submit again")
    else:
        predicted = Predictions.load(predictions)
        predicted = predicted.only(predicted.rows_of(submission["planet_id"]))
        stages = {name: predicted.stage(name) for name in ("flat depth", "anchor")}
        scores |= {name: metric.score(depth, *spectra) for name, spectra in stages.items() if spectra}
    scores["submission"] = gll_score(solution, submission, **metric.to_dict())
    logbook = Logbook(work_dir / LOG, stage="score")
    for name, value in scores.items():
        logbook.write("score", name=name, split="test, against truth", score=value, planets=len(depth))
    record = {"test_scores": scores, "test_scores_of": submission_fingerprint(work_dir)}
    write_json(work_dir / RUN_JSON, {**read_json(work_dir / RUN_JSON), **record})
    return scores


def _with_truth(submission: pd.DataFrame, truth: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows whose truth is whole, and it; an error where that is none, or the truth is no depth at all."""
    table = read_spectra(truth)
    missing = sorted(set(submission["planet_id"]) - set(table.index))
    if missing:
        raise DataError(
            "the truth does not fit the submission",
            where=str(truth),
            expected="planet_id and 283 depths for each row",
            found=f"{len(missing)} planets missing {missing[:5]}",
            fix="check --truth",
        )
    solution = table.loc[submission["planet_id"]]
    values = solution.to_numpy(dtype=np.float64)
    whole = np.isfinite(values).all(axis=1)
    if not whole.any():
        raise DataError(
            "the truth has no complete row",
            where=str(truth),
            expected="283 depths for each planet",
            found=f"{len(values)} rows",
            fix="check --truth",
        )
    level = float(np.median(values[whole]))
    if not 0.0 < level <= DEEPEST:
        raise DataError(
            "the truth holds no transit depths",
            where=str(truth),
            expected="(Rp/Rs)², about 0.015",
            found=f"a median of {level:g}",
            fix="divide by 100 if these are per cent, by 10⁶ if they are ppm",
        )
    if not whole.all():
        lost = submission["planet_id"].to_numpy()[~whole]
        named = ", ".join(map(str, lost[:5]))
        say(
            f"{truth.name}: no complete truth for {len(lost)} planets ({named}); the scores are of the others"
        )
    return submission[whole].reset_index(drop=True), solution[whole]


def summarise(work_dir: Path) -> None:
    """Print how long each stage took, the scores that are known, and where the results are."""
    run = read_json(work_dir / RUN_JSON)
    for name, stage in run.get("stages", {}).items():
        if "seconds" in stage:
            memory = f"peak memory {stage.get('peak_memory_mb', 0):.0f} MB"
            say(f"{name:>26}: {format_seconds(stage['seconds'])}, {memory}")
    present = submission_fingerprint(work_dir)
    if run.get("test_scores") and run.get("test_scores_of") != present:
        say("the scores in run.json are of an earlier submission.csv: left out here")
        run["test_scores"] = {}
    for name, value in (run.get("test_scores") or {}).items():
        say(f"official score, {name:>10}: {value:.4f}")
    for name in (SUBMISSION, REPORT):
        path = work_dir / name
        old = name == REPORT and path.is_file() and not report_is_of(path, present)
        where = path.resolve() if path.is_file() else "missing"
        say(f"{name:>26}: {where}{' (of an earlier submission: run 04_diagnostics again)' if old else ''}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Score a run against a truth, and print what it wrote.")
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("--truth", type=Path, help="CSV: planet_id, wl_1..wl_283; scores go to run.json")
    options = parser.parse_args(arguments)
    return run_command(lambda: _score_and_print(options))


def _score_and_print(options: argparse.Namespace) -> None:
    if options.truth:
        score_run(options.work_dir, options.truth)
    summarise(options.work_dir)


if __name__ == "__main__":
    sys.exit(main())
