"""Inputs that change after something was made from them: files, tables, labels, settings, the bundle, the
whole data set."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._finished_run import FinishedRun, copy_of_a_finished_run
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.store import LightCurveStore
from spectramind_kit.inference.score import score_run, summarise
from spectramind_kit.inference.submit import write_fallback
from spectramind_kit.simulator.writer import write_matrix

_NETWORK = ("train.folds=2", "train.epochs=1", "train.warm_start_epochs=0", "model/size=small")


def _heard(work: Callable, *words: str) -> tuple[object, str]:
    """What ``work`` returns, and the first line it says that holds one of the words."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        result = work()
    lines = [line for line in out.getvalue().splitlines() if any(word in line for word in words)]
    return result, re.sub(r"/\S*/", "", lines[0])[:160] if lines else ""  # without the scratch folder's name


def _against(found: pd.Series, depth: np.ndarray, said: str, *, what: str = "true") -> Outcome:
    """The level over AIRS-CH0 against the right one, in units of one bin's error (larger than the level's
    own)."""
    mean, sigma = found.to_numpy(float)[1:283], found.to_numpy(float)[284:]
    level, right, error = 1e6 * mean.mean(), 1e6 * depth[1:].mean(), 1e6 * sigma.mean()
    return Outcome(
        pull=float(abs(level - right) / error),
        said=said,
        note=f"{level:.0f} ± {error:.0f} ppm where {right:.0f} is {what}",
        # a correction that is told and not made would still be a wrong number
        wrong=bool(abs(level - right) > 4 * error),
    )


def _wrong_stays_wrong(outcome: Outcome) -> Outcome:
    """No line excuses a number that was not made again."""
    return Outcome(
        pull=outcome.pull, note=outcome.note, said="" if outcome.wrong else outcome.said, wrong=outcome.wrong
    )


def _corrected_files(scratch: Path) -> Outcome:
    """A test planet's twelve files are replaced by those of another planet, as after a correction by the
    hosts."""
    run = copy_of_a_finished_run(scratch)
    planet, donor = run.test_ids[0], run.train_ids[0]
    shutil.rmtree(run.data / "test" / str(planet))
    shutil.copytree(run.data / "train" / str(donor), run.data / "test" / str(planet))
    found, said = _heard(run.submit, "light curve of visit 0 has changed")
    return _wrong_stays_wrong(_against(found.loc[planet], run.label(donor), said))


def _corrected_signal_of_the_same_size(scratch: Path) -> Outcome:
    """The same with signals stored plainly: the size and the footer stay as they were, only the bytes between
    change."""
    import pyarrow.parquet as pq

    run = copy_of_a_finished_run(scratch)
    planet, donor = run.test_ids[0], run.train_ids[0]

    def store_plainly(source: Path) -> None:
        for path in source.glob("*_signal_0.parquet"):
            table = pq.read_table(path)
            pq.write_table(
                table,
                run.data / "test" / str(planet) / path.name,
                compression="none",
                use_dictionary=False,
                write_statistics=False,
                row_group_size=len(table),
            )

    store_plainly(run.data / "test" / str(planet))
    with contextlib.redirect_stdout(io.StringIO()):
        run.submit()
    sizes = [path.stat().st_size for path in sorted((run.data / "test" / str(planet)).glob("*.parquet"))]
    store_plainly(run.data / "train" / str(donor))
    assert sizes == [
        path.stat().st_size for path in sorted((run.data / "test" / str(planet)).glob("*.parquet"))
    ]
    found, said = _heard(run.submit, "signal_0.parquet")
    return _wrong_stays_wrong(
        _against(found.loc[planet], run.fresh(scratch).loc[planet].to_numpy(float)[:283], said, what="right")
    )


def _corrected_star(scratch: Path) -> Outcome:
    """A row of the star table that was wrong (a/Rs, inclination, period of another planet) and is
    corrected."""
    run = copy_of_a_finished_run(scratch)
    planet, path = run.test_ids[0], run.data / "test_star_info.csv"
    right = pd.read_csv(path)
    wrong = right.copy()
    # no transit, says this star
    wrong.loc[wrong["planet_id"] == planet, ["sma", "i", "P"]] = [20.0, 86.0, 2.0]
    wrong.to_csv(path, index=False)
    run.forget(planet)
    with contextlib.redirect_stdout(io.StringIO()):
        before = run.submit()
    right.to_csv(path, index=False)
    found, said = _heard(run.submit, "row of the star table has changed")
    return _remade(found.loc[planet], run.fresh(scratch).loc[planet], before.loc[planet], said)


def _remade(found: pd.Series, right: pd.Series, before: pd.Series, said: str) -> Outcome:
    """Whether a planet's numbers are those that its present inputs give, not the ones of before."""
    stale = np.allclose(found, before, rtol=1e-4) and not np.allclose(right, before, rtol=1e-4)
    outcome = _against(found, right.to_numpy(float)[:283], said, what="right")
    return Outcome(
        pull=outcome.pull,
        note=outcome.note + (", the number of before" if stale else ""),
        wrong=bool(stale) or outcome.wrong,
        said="" if stale else said,
    )


def _corrected_calibration(scratch: Path) -> Outcome:
    """A dark map that was wrong under the trace and is corrected; both files have the same size."""
    run = copy_of_a_finished_run(scratch)
    files = find_visits(run.data, "test")[0]
    path = files.calibration(AIRS, "dark")
    right = path.read_bytes()
    dark = pd.read_parquet(path).to_numpy().copy()
    dark[8:24] *= 1000.0
    write_matrix(path, dark)
    assert path.stat().st_size == len(right)
    run.forget(files.planet_id)
    with contextlib.redirect_stdout(io.StringIO()):
        before = run.submit()
    path.write_bytes(right)
    found, said = _heard(run.submit, "dark.parquet has changed")
    planet = files.planet_id
    return _remade(found.loc[planet], run.fresh(scratch).loc[planet], before.loc[planet], said)


def _corrected_adc(scratch: Path) -> Outcome:
    """The gain in adc_info.csv is corrected: every flux changes, no file of any visit does."""
    run = copy_of_a_finished_run(scratch)
    planet, path = run.test_ids[0], run.data / "adc_info.csv"
    table = pd.read_csv(path)
    settings = next((run.work / "store").iterdir()).name
    before = LightCurveStore(run.work / "store", settings).load(planet, 0).airs.mean()
    table["AIRS-CH0_adc_gain"] *= 1.1
    table.to_csv(path, index=False)
    _, said = _heard(run.submit, "adc_info has changed")
    ratio = LightCurveStore(run.work / "store", settings).load(planet, 0).airs.mean() / before
    wrong = abs(ratio - 1 / 1.1) > 0.02
    return Outcome(
        wrong=bool(wrong), said="" if wrong else said, note=f"flux × {ratio:.3f} where 0.909 is right"
    )


def _corrected_label(scratch: Path) -> Outcome:
    """One label is corrected and 02_train run again: folds that were trained on the old one must not count as
    finished."""
    run = copy_of_a_finished_run(scratch)
    with contextlib.redirect_stdout(io.StringIO()):
        first = run.train(overrides=_NETWORK)
    table = pd.read_csv(run.data / "train.csv")
    table.iloc[0, 1:] *= 1.5
    table.to_csv(run.data / "train.csv", index=False)
    second, said = _heard(lambda: run.train(overrides=_NETWORK), "trained afresh")
    same = all(
        bool((a == b).all())
        for x, y in zip(first.folds, second.folds)
        for a, b in zip(x.state.values(), y.state.values())
    )
    return Outcome(
        wrong=same, said="" if same else said, note="weights of the old label" if same else "trained again"
    )


def _damaged_measurement(scratch: Path) -> Outcome:
    """The file of one planet's measurement was cut by a full disk."""
    run = copy_of_a_finished_run(scratch)
    planet = run.test_ids[0]
    path = next(run.work.glob(f"anchor/*/{planet}.npz"))
    path.write_bytes(path.read_bytes()[:-3000])
    _, said = _heard(run.submit, "cannot be used", "left out")
    record = json.loads((run.work / "run.json").read_text())["stages"]["submit"]["sources"]
    return Outcome(wrong=record != {"anchor": 2}, said=said, note=f"predicted by {record}")


def _killed_after_the_fallback(scratch: Path) -> Outcome:
    """03_submit dies after its fallback: predictions and scores of the submission before are beside a naive
    CSV."""
    run = copy_of_a_finished_run(scratch)
    with contextlib.redirect_stdout(io.StringIO()):
        score_run(run.work, run.truth)
        write_fallback(run.open("submit"))
    _, said = _heard(lambda: summarise(run.work), "of an earlier submission")
    shown = _heard(lambda: summarise(run.work), "official score")[1]
    scores, told = _heard(lambda: score_run(run.work, run.truth), "is not what submission.csv holds")
    wrong = bool(shown) or "anchor" in scores
    return Outcome(
        wrong=wrong,
        said=told or said,
        note="scores of the old submission shown" if wrong else "naive scored alone",
    )


def _submission_of_another_run(scratch: Path) -> Outcome:
    """submission.csv was replaced by hand; predictions/test.npz and with it the report are of another one."""
    run = copy_of_a_finished_run(scratch)
    frame = pd.read_csv(run.work / "submission.csv")
    frame.iloc[:, 1:284] *= 1.2
    frame.to_csv(run.work / "submission.csv", index=False)
    scores, said = _heard(lambda: score_run(run.work, run.truth), "is not what submission.csv holds")
    return Outcome(wrong="anchor" in scores and not said, said=said, note=f"scored: {', '.join(scores)}")


def _bundle_of_other_labels(scratch: Path) -> Outcome:
    """A label was corrected after 02_train; 03_submit alone is run again."""
    run = copy_of_a_finished_run(scratch)
    table = pd.read_csv(run.data / "train.csv")
    table.iloc[0, 1:] *= 1.5
    table.to_csv(run.data / "train.csv", index=False)
    _, said = _heard(run.submit, "trained with another train.csv")
    return Outcome(wrong=True, said=said, note="the bundle's prior is of the old label")


def _bundle_of_an_older_kit(scratch: Path) -> Outcome:
    """The bundle was trained by a version of the kit that measured in another way."""
    run = copy_of_a_finished_run(scratch)
    path = run.work / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    content["recipes"] = {"light curves": "0" * 12, "measurements": "0"}
    path.write_text(json.dumps(content))
    _, said = _heard(run.submit, "makes in another way now")
    sources = json.loads((run.work / "run.json").read_text())["stages"]["submit"]["sources"]
    return Outcome(wrong=not said, said=said, note=f"predicted by {sources}")


def _mixed_bundle(scratch: Path) -> Outcome:
    """The prior of another training was copied into the bundle."""
    run = copy_of_a_finished_run(scratch)
    with contextlib.redirect_stdout(io.StringIO()):
        other = FinishedRun(run.data, scratch / "other", run.truth)
        table = pd.read_csv(run.data / "train.csv")
        right = table.copy()
        table.iloc[:, 1:] *= 0.9
        table.to_csv(run.data / "train.csv", index=False)
        shutil.copytree(run.work, other.work)
        other.train()
        right.to_csv(run.data / "train.csv", index=False)
    shutil.copy(other.work / "bundle" / "prior.npz", run.work / "bundle" / "prior.npz")
    _found, said = _heard(run.submit, "of another training")
    sources = json.loads((run.work / "run.json").read_text())["stages"]["submit"]["sources"]
    return Outcome(wrong=not said, said=said, note=f"predicted by {sources}")


def _other_data_in_the_same_folder(scratch: Path) -> Outcome:
    """``scripts/run --data OTHER --out SAME`` that is stopped after its first stage."""
    run = copy_of_a_finished_run(scratch)
    with contextlib.redirect_stdout(io.StringIO()):
        score_run(run.work, run.truth)
    other = scratch / "other" / run.data.name
    shutil.copytree(
        run.data, other, ignore=lambda folder, names: names if Path(folder).name in ("train", "test") else []
    )
    for split in ("train", "test"):
        for planet in (run.data / split).iterdir():
            (other / split / str(int(planet.name) + 1)).symlink_to(planet)
    _, said = _heard(lambda: run.open("light_curves", data=other), "other planets")
    record = json.loads((run.work / "run.json").read_text())
    left = [name for name in ("submission.csv", "bundle", "predictions") if (run.work / name).exists()]
    left += [name for name in ("naive", "test_scores") if record.get(name)]
    return Outcome(
        wrong=bool(left), said="" if left else said, note=f"left in place: {', '.join(left) or 'nothing'}"
    )


_KIND = "results that outlive their inputs"
CASES = [
    Case(name, _KIND, before, run)
    for name, before, run in (
        (
            "a test planet's files are corrected",
            "14924 ± 93 ppm kept where 4051 is true (117 σ)",
            _corrected_files,
        ),
        (
            "signals corrected, same size and footer",
            "14924 ± 93 ppm kept where 4169 is right (116 σ)",
            _corrected_signal_of_the_same_size,
        ),
        (
            "a corrected row of the star table",
            "9009 ± 4864 ppm of the wrong star kept where 14924 ± 93 is right",
            _corrected_star,
        ),
        (
            "a corrected dark map of the same size",
            "15115 ± 114 ppm of the wrong map kept where 14924 ± 93 is right",
            _corrected_calibration,
        ),
        ("a corrected adc_info.csv", "the flux of the old gain kept", _corrected_adc),
        ("a corrected label, 02_train again", "folds of the old label count as finished", _corrected_label),
        (
            "a corrected label, 03_submit alone",
            "the bundle of the old label, without a word",
            _bundle_of_other_labels,
        ),
        (
            "a measurement's file is cut",
            "the anchors of the whole chunk are lost (BadZipFile)",
            _damaged_measurement,
        ),
        (
            "03_submit dies after its fallback",
            "the scores of the submission before are shown",
            _killed_after_the_fallback,
        ),
        (
            "submission.csv replaced by hand",
            "its stages are scored from the old predictions",
            _submission_of_another_run,
        ),
        ("a bundle of an older kit", "used without a word", _bundle_of_an_older_kit),
        ("a bundle with another training's prior", "used without a word", _mixed_bundle),
        (
            "other data in the same run folder",
            "submission, bundle, predictions, naive statistics and scores of the old data stay",
            _other_data_in_the_same_folder,
        ),
    )
]
