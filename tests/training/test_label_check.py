"""Labels that are not those of the light curves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.training.label_check import contradicted_labels
from spectramind_kit.transit import flags
from tests.stale_run import make_small_run


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    run = make_small_run(tmp_path_factory.mktemp("labels"))
    run.overrides = ["model=anchor", "train.folds=2"]  # fits that have converged
    return run


@pytest.mark.parametrize("change", [np.sqrt, lambda labels: 0.1 * labels])
def test_a_table_that_does_not_fit_ends_the_training(small, change):
    """Guards against radius ratios and other units, which were trained on, silently."""
    right = small.labels.copy()
    small.labels.loc[:] = change(right)
    try:
        with pytest.raises(DataError, match="not those of the light curves"):
            small.train()
    finally:
        small.labels.loc[:] = right


def test_one_label_of_another_planet_costs_its_planet(small):
    """Guards against a training that ends, or goes on with it, for one wrong row."""
    right = small.labels.copy()
    small.labels.loc[3] *= 1.5
    try:
        small.train()
    finally:
        small.labels.loc[:] = right
    stage = json.loads((small.root / "run.json").read_text())["stages"]["train"]
    assert [entry["planet_id"] for entry in stage["failed_label_contradicted"]] == [3]
    with np.load(small.root / "predictions" / "oof.npz") as arrays:
        assert 3 not in arrays["planet_id"] and len(arrays["planet_id"]) == 7


class Measured:
    """What is looked at of a measurement."""

    def __init__(self, planet_id, depth, *found):
        self.planet_id, self.reference_depth, self.flags = planet_id, np.full(283, depth), found
        self.quality = {"frames_lost": 0.0}


def test_rows_of_other_planets_end_the_training():
    """Guards against a planet_id column that was filled in anew, in another order."""
    depth = np.geomspace(0.002, 0.05, 40)
    fits = [Measured(k, value) for k, value in enumerate(depth)]
    labels = np.repeat(depth[:, None], 283, axis=1)
    assert contradicted_labels(fits, labels) == {}
    with pytest.raises(DataError, match="not those of the light curves"):
        contradicted_labels(fits, np.random.default_rng(0).permutation(labels))


def test_clean_labels_pass_and_a_fit_in_doubt_is_judged_mildly():
    """Guards against planets that are lost for a fit that says itself that it is none."""
    label = np.full((4, 283), 0.01)
    fits = [
        Measured(1, 0.0105),
        Measured(2, 0.014, flags.of_visit(flags.SHALLOW_TRANSIT, 0, n_visits=2)),
        Measured(3, 0.09, flags.GRAZING),
        Measured(4, 0.0095, "poor fit"),
    ]
    assert contradicted_labels(fits, label) == {}
    assert list(
        contradicted_labels(
            [*fits, Measured(5, 0.013), Measured(6, 0.04, flags.SHALLOW_TRANSIT)], np.full((6, 283), 0.01)
        )
    ) == [5, 6]
