"""What the folds of a run read."""

from __future__ import annotations

import numpy as np
import torch

from spectramind_kit.detector.layout import read_star_info
from spectramind_kit.training.anchors import cross_fit_anchors
from spectramind_kit.training.labels import train_labels
from spectramind_kit.training.train_inputs import train_inputs


def inputs_of(small_run, *overrides):
    run = small_run.open("train", overrides=["train.folds=2", *overrides])
    curves = small_run.light_curves["train"]
    labels, measured = train_labels(run, curves), small_run.measure(run)
    anchors = cross_fit_anchors(run, measured, labels=labels)
    stars = read_star_info(small_run.data_dir, "train")
    known = {"measurements": measured, "anchors": anchors, "labels": labels, "stars": stars}
    return train_inputs(run, curves, **known), labels


def test_every_planet_is_read_beside_its_own_label(small_run):
    """Guards against labels in the order of another table, and weights of other wavelengths that are begun
    with."""
    inputs, labels = inputs_of(small_run, "anchor.iterations=2")
    rows = inputs.dataset.rows_of(labels.planet_ids[[2]])
    depth = inputs.dataset.tensors["depth"][torch.as_tensor(rows)].numpy()
    np.testing.assert_array_equal(depth, labels.depth[[2]])
    assert set(inputs.dataset.planet_id) == set(labels.planet_ids) and inputs.start is None


def test_without_a_network_there_is_nothing_to_read(small_run, capsys):
    """Guards against a model=anchor that trains all the same."""
    assert inputs_of(small_run, "anchor.iterations=2", "model=anchor")[0] is None
    assert "no network is trained" in capsys.readouterr().out
