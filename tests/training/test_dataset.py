"""Light curves and anchors as a network's input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import check_batch
from spectramind_kit.training.dataset import (
    RESIDUAL_LIMIT,
    VisitDataset,
    fold_of_planets,
    planet_rows,
    visit_row,
)
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.transit import apply_prior
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement


@pytest.fixture(scope="module")
def planet(finished_run):
    """A simulated light curve, its measurement and its anchor."""
    curve = finished_run.light_curves["train"][3][0]
    measurement = DepthMeasurement.load(next(finished_run.root.glob("anchor/*/3.npz")))
    return curve, measurement, apply_prior(measurement)


def test_rows_obey_the_batch_contract(planet):
    """Guards against names, shapes and units that the models do not expect."""
    curve, measurement, anchor = planet
    rows = planet_rows({3: [curve]}, measurements={3: measurement}, anchors={3: anchor}, stars=pd.DataFrame())
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(rows))
    batch = dataset.batch([0])
    check_batch(batch)
    shape = batch["fgs1_transit"]
    assert -1.4 < shape.min() < -0.8 and shape.max() <= 0.0, "limb darkening deepens its middle"
    inside = batch["time"].abs() < 0.8
    assert (shape[inside] < -0.5).all(), "time is in half durations from mid-transit"
    assert 0.5 < batch["fgs1"].std() < 2.0, "residuals are in units of their noise"


def test_a_cosmic_ray_and_a_lost_step_do_not_own_the_input(planet):
    """Guards against an infinite or NaN residual, which reaches every weight."""
    curve, measurement, anchor = planet
    flux = curve.flux.copy()
    flux[5, 7], flux[9] = 1e12, np.nan
    row = visit_row(dataclasses.replace(curve, flux=flux), measurement, anchor, star={})
    assert row["airs"][5, 6] == RESIDUAL_LIMIT and (row["fgs1"][9], row["airs"][9].any()) == (0.0, False)


def test_visits_that_were_not_measured_are_left_out(planet):
    """Guards against a StopIteration for a visit that the measurement could not use."""
    curve, measurement, anchor = planet
    curves = {3: [curve, dataclasses.replace(curve, visit=1)]}
    rows = planet_rows(curves, measurements={3: measurement}, anchors={3: anchor}, stars=pd.DataFrame())
    assert [(row["planet_id"], row["visit"]) for row in rows] == [(3, 0)]


def test_time_flip_turns_every_time_series(dataset):
    """Guards against residuals that run backwards under a mask or a clock that runs forwards."""
    rows = dataset.rows_of([3])
    plain, turned = dataset.batch(rows), dataset.batch(rows, flipped=True)
    torch.testing.assert_close(plain["airs"].flip(1), turned["airs"])
    torch.testing.assert_close(plain["time"].flip(1), -turned["time"])
    torch.testing.assert_close(plain["bins"], turned["bins"])


def test_no_rows_is_an_error_that_says_so():
    """Guards against NumPy's own error, which names no planet and no file."""
    with pytest.raises(DataError, match="no visit"):
        VisitDataset([], normaliser=None)


def test_folds_are_even_and_the_same_again():
    """Guards against folds that change with the run, and against one without planets."""
    fold = fold_of_planets(range(11), folds=3, seed=5)
    assert sorted(np.bincount(fold)) == [3, 4, 4]
    np.testing.assert_array_equal(fold, fold_of_planets(range(11), folds=3, seed=5))
    assert (fold != fold_of_planets(range(11), folds=3, seed=6)).any()
    for folds in (1, 12):
        with pytest.raises(DataError, match="number of folds"):
            fold_of_planets(range(11), folds=folds, seed=0)
