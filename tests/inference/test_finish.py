"""The end of a training: what is scored, kept and recorded."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.inference.bundle import load_bundle
from spectramind_kit.inference.finish import _flat_score, _tell_share
from spectramind_kit.inference.uncertainty import SensorScale, SigmaFit, SigmaScale
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.run_folder.logbook import read_logbook
from spectramind_kit.run_folder.predictions import Predictions
from tests.stale_run import TRAIN


def test_out_of_fold_predictions_stand_beside_their_labels(finished_run):
    """Guards against labels of other planets beside the predictions, which every figure would show."""
    found = Predictions.load(finished_run.root / "predictions/oof.npz")
    assert found.planet_id.tolist() == list(TRAIN) and set(found.fold) == {0, 1}
    np.testing.assert_allclose(found.depth, finished_run.labels.to_numpy(), rtol=1e-6)
    assert np.abs(found.depth_mean / found.depth - 1).max() < 0.2 and found.network_depth_mean is None
    assert found.made_from == load_bundle(finished_run.root / "bundle").made_from


def test_scores_and_bundle_are_on_record(finished_run):
    """Guards against a run.json that names another bundle than the one beside it."""
    stage = read_json(finished_run.root / "run.json")["stages"]["train"]
    assert stage["bundle"] == load_bundle(finished_run.root / "bundle").fingerprint
    scores = stage["out_of_fold_scores"]
    assert list(scores) == ["naive", "flat depth", "anchor", "final"] and scores["naive"] == 0.0
    logged = read_logbook(finished_run.root / "metrics.jsonl", event="score")
    assert {event["name"]: event["score"] for event in logged} == pytest.approx(scores)


def test_the_flat_baseline_does_not_see_the_planets_it_is_scored_on():
    """Guards against a yardstick that is better than what a rerun can reach."""
    depth = np.repeat(np.linspace(0.01, 0.02, 10)[:, None], 283, axis=1)
    fold = np.arange(10) % 2
    flat = depth[:, 0] * np.where(fold == 0, 1.0, 2.0)  # each fold is right with its own ratio only
    assert _flat_score(depth, flat, fold, Metric()) < 0.0 < _flat_score(depth, depth[:, 0], fold, Metric())


@pytest.mark.parametrize(
    "scale, gain, said",
    [
        (SigmaScale(alone=True), -0.02, "the network alone is submitted, as configured: -0.0200 ± 0.0010"),
        (SigmaScale(airs=SensorScale(trust=0.5)), 0.02, "are combined: +0.0200 ± 0.0010"),
        (
            SigmaScale(),
            -0.01,
            "the anchor alone is submitted: on planets that no fit has seen, the network adds",
        ),
        (SigmaScale(), 0.001, "the anchor alone is submitted: with the network +0.0010 ± 0.0010"),
    ],
)
def test_why_the_network_is_used_or_not_is_said(small_run, capsys, scale, gain, said):
    """Guards against hours of training that vanish without a word."""
    fit = SigmaFit(scale, 0.6, 0.5, gain, 0.001, {"anchor": 0.5})
    _tell_share(small_run.open("train"), fit)
    assert said in capsys.readouterr().out
