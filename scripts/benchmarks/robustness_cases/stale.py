"""Inputs that change after something was made from them: signals, maps, tables, the bundle, the data set."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Outcome, case
from robustness_cases._finished_run import FinishedRun, copy_of_a_finished_run
from robustness_cases._said import captured, heard
from spectramind_kit.detector import AIRS, LightCurveStore, find_visits
from spectramind_kit.inference.score import score_run, summarise
from spectramind_kit.inference.submit import write_fallback
from spectramind_kit.simulator.writer import write_matrix

_case = partial(case, kind="results that outlive their inputs")
_NETWORK = ("train.folds=2", "train.epochs=1", "train.warm_start_epochs=0", "model/size=small")


def _against(
    found: pd.Series, depth: np.ndarray, said: str, *, what: str = "true", stale: bool = False
) -> Outcome:
    """The level over AIRS-CH0 against the right one, in units of a bin's error (larger than the level's own).

    No line excuses a number that was not made again: ``said`` counts only where the number is right.
    """
    mean, sigma = found.to_numpy(float)[1:283], found.to_numpy(float)[284:]
    level, right, error = 1e6 * mean.mean(), 1e6 * depth[1:].mean(), 1e6 * sigma.mean()
    wrong = stale or bool(abs(level - right) > 4 * error)
    note = f"{level:.0f} ± {error:.0f} ppm where {right:.0f} is {what}" + ", the number of before" * stale
    pull = float(abs(level - right) / error)
    return Outcome(pull=pull, said="" if wrong else said, note=note, wrong=wrong)


def _remade(found: pd.Series, right: pd.Series, before: pd.Series, said: str) -> Outcome:
    """Whether a planet's numbers are those that its present inputs give, not the ones of before."""
    stale = np.allclose(found, before, rtol=1e-4) and not np.allclose(right, before, rtol=1e-4)
    return _against(found, right.to_numpy(float)[:283], said, what="right", stale=bool(stale))


# ---------------------------------------------------------------- files of a visit


@_case("a test planet's files are corrected", before="14924 ± 93 ppm kept where 4051 is true (117 σ)")
def corrected_files(scratch: Path) -> Outcome:
    """Its twelve files are replaced by those of another planet, as after a correction by the hosts."""
    run = copy_of_a_finished_run(scratch)
    planet, donor = run.test_ids[0], run.train_ids[0]
    shutil.rmtree(run.data / "test" / str(planet))
    shutil.copytree(run.data / "train" / str(donor), run.data / "test" / str(planet))
    found, said = heard(run.submit, "light curve of visit 0 has changed")
    return _against(found.loc[planet], run.label(donor), said)


@_case("signals corrected, same size and footer", before="14924 ± 93 ppm kept where 4169 is right (116 σ)")
def corrected_signal_of_the_same_size(scratch: Path) -> Outcome:
    """The same with signals stored plainly: size and footer stay the same, only bytes between change."""
    run = copy_of_a_finished_run(scratch)
    planet, donor = run.test_ids[0], run.train_ids[0]
    folder = run.data / "test" / str(planet)
    sizes = _store_plainly(folder, folder)
    run.submit_quietly()
    assert sizes == _store_plainly(run.data / "train" / str(donor), folder)
    found, said = heard(run.submit, "signal_0.parquet")
    right = run.fresh(scratch).loc[planet].to_numpy(float)[:283]
    return _against(found.loc[planet], right, said, what="right")


def _store_plainly(source: Path, target: Path) -> list[int]:
    """The signals without compression; their sizes."""
    import pyarrow.parquet as pq

    plain = dict(compression="none", use_dictionary=False, write_statistics=False)
    for path in source.glob("*_signal_0.parquet"):
        table = pq.read_table(path)
        pq.write_table(table, target / path.name, row_group_size=len(table), **plain)
    return [path.stat().st_size for path in sorted(target.glob("*.parquet"))]


@_case(
    "a corrected dark map of the same size",
    before="15115 ± 114 ppm of the wrong map kept where 14924 ± 93 is right",
)
def corrected_calibration(scratch: Path) -> Outcome:
    """A dark map that was wrong under the trace and is corrected; both files have the same size."""
    run = copy_of_a_finished_run(scratch)
    files = find_visits(run.data, "test")[0]
    planet, path = files.planet_id, files.calibration(AIRS, "dark")
    right = path.read_bytes()
    dark = pd.read_parquet(path).to_numpy().copy()
    dark[8:24] *= 1000.0
    write_matrix(path, dark)
    assert path.stat().st_size == len(right)
    run.forget(planet)
    before = run.submit_quietly()
    path.write_bytes(right)
    found, said = heard(run.submit, "dark.parquet has changed")
    return _remade(found.loc[planet], run.fresh(scratch).loc[planet], before.loc[planet], said)


# ---------------------------------------------------------------- tables


@_case(
    "a corrected row of the star table",
    before="9009 ± 4864 ppm of the wrong star kept where 14924 ± 93 is right",
)
def corrected_star(scratch: Path) -> Outcome:
    """A row that was wrong (a/Rs, inclination, period of another planet) and is corrected."""
    run = copy_of_a_finished_run(scratch)
    planet, path = run.test_ids[0], run.data / "test_star_info.csv"
    right = pd.read_csv(path)
    wrong = right.copy()
    # no transit, says this star
    wrong.loc[wrong["planet_id"] == planet, ["sma", "i", "P"]] = [20.0, 86.0, 2.0]
    wrong.to_csv(path, index=False)
    run.forget(planet)
    before = run.submit_quietly()
    right.to_csv(path, index=False)
    found, said = heard(run.submit, "row of the star table has changed")
    return _remade(found.loc[planet], run.fresh(scratch).loc[planet], before.loc[planet], said)


@_case("a corrected adc_info.csv", before="the flux of the old gain kept")
def corrected_adc(scratch: Path) -> Outcome:
    """The gain is corrected: every flux changes, no file of any visit does."""
    run = copy_of_a_finished_run(scratch)
    planet, path = run.test_ids[0], run.data / "adc_info.csv"
    table = pd.read_csv(path)
    store = LightCurveStore(run.work / "store", next((run.work / "store").iterdir()).name)
    before = store.load(planet, 0).airs.mean()
    table["AIRS-CH0_adc_gain"] *= 1.1
    table.to_csv(path, index=False)
    _, said = heard(run.submit, "adc_info has changed")
    ratio = store.load(planet, 0).airs.mean() / before
    wrong = bool(abs(ratio - 1 / 1.1) > 0.02)
    return Outcome(wrong=wrong, said="" if wrong else said, note=f"flux × {ratio:.3f} where 0.909 is right")


@_case("a corrected label, 02_train again", before="folds of the old label count as finished")
def corrected_label(scratch: Path) -> Outcome:
    """Folds that were trained on the old label must not count as finished."""
    run = copy_of_a_finished_run(scratch)
    with captured():
        first = run.train(overrides=_NETWORK)
    run.scale_label(1.5)
    second, said = heard(lambda: run.train(overrides=_NETWORK), "trained afresh")
    weights = [[w for fold in network.folds for w in fold.state.values()] for network in (first, second)]
    same = all(bool((old == new).all()) for old, new in zip(*weights))
    note = "weights of the old label" if same else "trained again"
    return Outcome(wrong=same, said="" if same else said, note=note)


# ---------------------------------------------------------------- the run's folder


@_case("a measurement's file is cut", before="the anchors of the whole chunk are lost (BadZipFile)")
def damaged_measurement(scratch: Path) -> Outcome:
    """By a full disk."""
    run = copy_of_a_finished_run(scratch)
    path = next(run.work.glob(f"anchor/*/{run.test_ids[0]}.npz"))
    path.write_bytes(path.read_bytes()[:-3000])
    _, said = heard(run.submit, "cannot be used", "left out")
    sources = run.sources()
    return Outcome(wrong=sources != {"anchor": 2}, said=said, note=f"predicted by {sources}")


@_case("03_submit dies after its fallback", before="the scores of the submission before are shown")
def killed_after_the_fallback(scratch: Path) -> Outcome:
    """Predictions and scores of the submission before are beside a naive CSV."""
    run = copy_of_a_finished_run(scratch)
    with captured():
        score_run(run.work, run.truth)
        write_fallback(run.open("submit"))
    _, said = heard(lambda: summarise(run.work), "of an earlier submission")
    _, shown = heard(lambda: summarise(run.work), "official score")
    scores, told = heard(lambda: score_run(run.work, run.truth), "is not what submission.csv holds")
    wrong = bool(shown) or "anchor" in scores
    note = "scores of the old submission shown" if wrong else "naive scored alone"
    return Outcome(wrong=wrong, said=told or said, note=note)


@_case("submission.csv replaced by hand", before="its stages are scored from the old predictions")
def submission_of_another_run(scratch: Path) -> Outcome:
    """predictions/test.npz and with it the report are of another one."""
    run = copy_of_a_finished_run(scratch)
    frame = pd.read_csv(run.work / "submission.csv")
    frame.iloc[:, 1:284] *= 1.2
    frame.to_csv(run.work / "submission.csv", index=False)
    scores, said = heard(lambda: score_run(run.work, run.truth), "is not what submission.csv holds")
    return Outcome(wrong="anchor" in scores and not said, said=said, note=f"scored: {', '.join(scores)}")


@_case("a corrected label, 03_submit alone", before="the bundle of the old label, without a word")
def bundle_of_other_labels(scratch: Path) -> Outcome:
    run = copy_of_a_finished_run(scratch)
    run.scale_label(1.5)
    _, said = heard(run.submit, "trained with another train.csv")
    return Outcome(wrong=True, said=said, note="the bundle's prior is of the old label")


@_case("a bundle of an older kit", before="used without a word")
def bundle_of_an_older_kit(scratch: Path) -> Outcome:
    """Trained by a version that measured in another way."""
    run = copy_of_a_finished_run(scratch)
    path = run.work / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    content["recipes"] = {"light curves": "0" * 12, "measurements": "0"}
    path.write_text(json.dumps(content))
    return _predicted(run, "makes in another way now")


@_case("a bundle with another training's prior", before="used without a word")
def mixed_bundle(scratch: Path) -> Outcome:
    run = copy_of_a_finished_run(scratch)
    other = FinishedRun(run.data, scratch / "other", run.truth)
    right = pd.read_csv(run.data / "train.csv")
    wrong = right.copy()
    wrong.iloc[:, 1:] *= 0.9
    wrong.to_csv(run.data / "train.csv", index=False)
    shutil.copytree(run.work, other.work)
    with captured():
        other.train()
    right.to_csv(run.data / "train.csv", index=False)
    shutil.copy(other.work / "bundle" / "prior.npz", run.work / "bundle" / "prior.npz")
    return _predicted(run, "of another training")


def _predicted(run: FinishedRun, words: str) -> Outcome:
    _, said = heard(run.submit, words)
    return Outcome(wrong=not said, said=said, note=f"predicted by {run.sources()}")


@_case(
    "other data in the same run folder",
    before="submission, bundle, predictions, naive statistics and scores of the old data stay",
)
def other_data_in_the_same_folder(scratch: Path) -> Outcome:
    """``scripts/run --data OTHER --out SAME`` that is stopped after its first stage."""
    run = copy_of_a_finished_run(scratch)
    with captured():
        score_run(run.work, run.truth)
    other = scratch / "other" / run.data.name
    shutil.copytree(run.data, other, ignore=_planets)
    for split in ("train", "test"):
        for planet in (run.data / split).iterdir():
            (other / split / str(int(planet.name) + 1)).symlink_to(planet)
    _, said = heard(lambda: run.open("light_curves", data=other), "other planets")
    record = json.loads((run.work / "run.json").read_text())
    left = [name for name in ("submission.csv", "bundle", "predictions") if (run.work / name).exists()]
    left += [name for name in ("naive", "test_scores") if record.get(name)]
    note = f"left in place: {', '.join(left) or 'nothing'}"
    return Outcome(wrong=bool(left), said="" if left else said, note=note)


def _planets(folder: str, names: list[str]) -> list[str]:
    return names if Path(folder).name in ("train", "test") else []


CASES = [
    *(corrected_files, corrected_signal_of_the_same_size, corrected_star, corrected_calibration),
    *(corrected_adc, corrected_label, bundle_of_other_labels, damaged_measurement),
    *(killed_after_the_fallback, submission_of_another_run, bundle_of_an_older_kit, mixed_bundle),
    other_data_in_the_same_folder,
]
