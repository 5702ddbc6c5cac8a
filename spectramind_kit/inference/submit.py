"""The rerun: rows from the test folder, something valid at once, then as much as the time allows.

Each planet takes the best that it got: network, anchor, flat depth, naive. Too little time leaves out the
network first, then the anchors of the planets that are still to come, then their light curves; what broke for
one planet is recorded. Nothing here raises for what data can do: a notebook that raises is a failed
submission, whatever CSV it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from spectramind_kit.errors import PlanetFailure
from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.inference.ladder import naive_rung
from spectramind_kit.inference.rerun_bundle import find_bundle
from spectramind_kit.inference.rerun_inputs import (
    RerunInputs,
    planets_of_test,
    read_inputs,
    wavelengths_of_test,
)
from spectramind_kit.inference.rerun_planets import gather_planets
from spectramind_kit.inference.spectra import (
    FoundPlanets,
    finished,
    has_network,
    low_rungs,
    with_anchors,
    with_network,
)
from spectramind_kit.inference.uncertainty import BOTH
from spectramind_kit.metric import N_BINS, Metric
from spectramind_kit.run_folder.files import SUBMISSION, TEST
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.runtime import say
from spectramind_kit.submission import build_submission, fallback_submission, write_submission
from spectramind_kit.training.folds import set_threads


def write_fallback(run: RunFolder) -> list[int]:
    """Write the naive prediction for every test planet: whatever happens next, there is a valid CSV."""
    planet_ids, path = planets_of_test(run.data_dir, tell=run.tell), run.root / SUBMISSION
    bundle = find_bundle(run)
    frame = fallback_submission(planet_ids, metric=bundle.metric if bundle else None)
    write_submission(frame, path, planet_ids=planet_ids)
    with suppress(OSError):  # predictions and scores of an earlier submission
        (run.root / TEST).unlink(missing_ok=True)
        run.record(test_scores={}, test_scores_of="")
    say(f"fallback written: {len(planet_ids)} planets, {path}")
    return planet_ids


def predict_test(run: RunFolder, planet_ids: Sequence[int]) -> Predictions:
    """Predict every planet as well as data and time allow; never raises.

    Light curves and anchors are made with the settings that the bundle was trained with. Spectra are in the
    order of ``planet_ids``; ``source`` says what each comes from.
    """
    try:
        return _predict(run, planet_ids)
    except Exception as error:  # unforeseen: the naive prediction is a submission, an exception is none
        run.went_wrong("prediction", "the prediction failed, every planet is left naive", error)
        return naive_rung(planet_ids, np.full(N_BINS, np.nan), Metric())


def write_prediction(run: RunFolder, prediction: Predictions) -> Path:
    """Validate and write ``submission.csv``; the fallback stays where the prediction cannot be used."""
    path, planet_ids = run.root / SUBMISSION, prediction.planet_id.tolist()
    try:
        frame = build_submission(planet_ids, prediction.depth_mean, depth_sigma=prediction.depth_sigma)
        write_submission(frame, path, planet_ids=planet_ids)
    except Exception as error:
        what = "the fallback stays in submission.csv, the prediction cannot be written"
        run.went_wrong("write", what, error)
        return path
    run.record(test_scores={}, test_scores_of="")  # of an earlier submission; the truth is read after this
    run.record_stage(sources=prediction.counts)
    words = {BOTH: "anchor and network"}
    sources = ", ".join(f"{n} {words.get(name, name)}" for name, n in prediction.counts.items())
    say(f"planets by what their prediction comes from: {sources}")
    return path


def _predict(run: RunFolder, planet_ids: Sequence[int]) -> Predictions:
    inputs = read_inputs(run)
    found, bundle = gather_planets(run, planet_ids, inputs), inputs.bundle
    wavelength_um = wavelengths_of_test(run, inputs.tables)
    predictions = low_rungs(found, bundle, planet_ids=planet_ids, wavelength_um=wavelength_um)
    if found.light_curves:
        try:
            predictions = _climb(run, predictions, inputs, found)
        # nobody foresaw it; a notebook that raises fails the submission, CSV or not
        except Exception as error:
            what = "anchors or network failed, each planet keeps what it has"
            run.went_wrong("anchors", what, error)
    predictions = finished(predictions, bundle, order=inputs.order)
    with suppress(Exception):  # remarks must not cost the spectra
        predictions = replace(predictions, flags=_flags(planet_ids, found))
    predictions = replace(predictions, made_from=_made_from(bundle, found))
    try:
        predictions.save(run.root / TEST)
    except Exception as error:  # a full disk costs the figures, not the submission
        run.went_wrong("predictions", "predictions/test.npz cannot be written", error)
    return predictions


def _flags(planet_ids: Sequence[int], found: FoundPlanets) -> np.ndarray:
    """(N,) what is said of each planet, ``; `` between."""
    unread = "no light curve: see the failures in run.json"
    texts = ["; ".join(found.flags(p)) if found.light_curves.get(p) else unread for p in planet_ids]
    return np.array(texts, dtype=str)


def _climb(run: RunFolder, below: Predictions, inputs: RerunInputs, found: FoundPlanets) -> Predictions:
    """From the flat depths to the anchors, and to the network where there are one and the time."""
    bundle = inputs.bundle
    predictions, anchors, failed = with_anchors(below, found, bundle)
    run.failures("anchor_prior_test", [PlanetFailure(p, text) for p, text in failed.items()])
    if not run.config.model.use_network or not has_network(bundle):
        return predictions
    if run.budget.left_s <= 0:
        say("the network is left out: no time for it")
        run.record_stage(network_left_out=True)
        return predictions
    if bundle is None:
        say("there is no bundle: the network as it comes with the kit, which no label has taught, predicts")
    try:
        set_threads(run)
        with run.step("network"):
            given = {"anchors": anchors, "stars": inputs.stars, "device": run.device()}
            return with_network(predictions, found, bundle, **given)
    except Exception as error:  # a GPU out of memory must not cost the anchors
        run.went_wrong("network", "the network is left out", error)
        return predictions


def _made_from(bundle: Bundle | None, found: FoundPlanets) -> dict[str, str]:
    """Fingerprints of the bundle and of every planet's light curves, star and settings."""
    measured = {planet: dict(m.made_from) for planet, m in found.measurements.items()}
    return {"bundle": bundle.fingerprint if bundle else "", "measurements": fingerprint(measured)}
