"""Anchors of train planets under a prior that has not seen their label."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.training import anchors
from spectramind_kit.training.anchors import cross_fit_anchors
from spectramind_kit.training.dataset import fold_of_planets
from spectramind_kit.training.labels import train_labels
from tests.stale_run import TRAIN


@pytest.fixture
def prepared(small_run):
    """An open run, its measurements and its labels."""
    run = small_run.open("train")
    return run, small_run.measure(run), train_labels(run, small_run.light_curves["train"])


def test_anchors_stand_in_the_order_of_their_planets_and_folds(prepared):
    """Guards against spectra of other planets, and against folds that are not those of the network."""
    run, measurements, labels = prepared
    found = cross_fit_anchors(run, measurements, labels=labels)
    assert found.planet_ids.tolist() == list(TRAIN)
    np.testing.assert_array_equal(found.fold, fold_of_planets(TRAIN, folds=2, seed=0))
    depth, err = found.stacked()
    assert np.corrcoef(depth.mean(1), labels.depth.mean(1))[0, 1] > 0.99 and (err > 0).all()
    np.testing.assert_array_equal(depth[2], found.out_of_fold[int(found.planet_ids[2])].depth)


def test_a_planet_without_a_measurement_is_not_learned_from(prepared):
    """Guards against a KeyError for the one planet that could not be measured."""
    run, measurements, labels = prepared
    del measurements[4]
    assert 4 not in cross_fit_anchors(run, measurements, labels=labels).planet_ids


def test_too_few_planets_say_where_to_look(prepared):
    """Guards against an error of linear algebra where every measurement failed."""
    run, measurements, labels = prepared
    with pytest.raises(DataError, match="too few train planets") as error:
        cross_fit_anchors(run, {1: measurements[1]}, labels=labels)
    assert "failed_anchor_train" in error.value.fix


def test_a_contradicted_label_is_named_and_left_out(prepared, monkeypatch):
    """Guards against a prior that is learned from the row of another planet."""
    run, measurements, labels = prepared
    monkeypatch.setattr(anchors, "contradicted_labels", lambda *_: {5: "its label is 3.5 × the depth"})
    assert 5 not in cross_fit_anchors(run, measurements, labels=labels).planet_ids
    stage = read_json(run.root / "run.json")["stages"]["train"]
    assert [entry["planet_id"] for entry in stage["failed_label_contradicted"]] == [5]
