"""Light curves and anchors as a network's input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import SERIES, check_batch
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
from tests.training.known_rows import STEPS, rows_and_labels
from tests.transit.synthetic import with_flux


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
    shape = batch["transit_shape"]
    assert -1.4 < shape.min() < -0.8 and shape.max() <= 0.0, "limb darkening deepens its middle"
    inside = batch["time"].abs() < 0.8
    assert (shape[inside] < -0.5).all(), "time is in half durations from mid-transit"
    assert 0.5 < batch["fgs1"].std() < 2.0, "residuals are in units of their noise"


def test_a_cosmic_ray_and_a_lost_step_do_not_own_the_input(planet):
    """Guards against an infinite or NaN residual, which reaches every weight."""
    curve, measurement, anchor = planet
    flux = curve.flux.copy()
    flux[5, 7], flux[9] = 1e12, np.nan
    row = visit_row(with_flux(curve, flux), measurement, anchor, star={})
    assert row["airs"][5, 6] == RESIDUAL_LIMIT and (row["fgs1"][9], row["airs"][9].any()) == (0.0, False)
    assert (~row["mask"]).nonzero()[0].tolist() == [9] and row["weight"][9] == 0.0
    assert row["weight"].sum() == pytest.approx(1.0)


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
    for name in set(SERIES) - {"time"}:
        assert torch.equal(plain[name].flip(1), turned[name]), name


def test_visits_are_padded_at_their_end():
    """Guards against steps that no exposure fell into and that count all the same."""
    whole, other = rows_and_labels(2)[0][1:]
    short = other | {name: other[name][:15] for name in SERIES}
    dataset = VisitDataset([whole, short], normaliser=Normaliser.fit([whole, short]))
    mask, weight = dataset.tensors["mask"], dataset.tensors["weight"]
    assert mask[1].tolist() == 15 * [True] + (STEPS - 15) * [False] and mask[0].all()
    assert not weight[1, 15:].any() and weight[1, :15].all()


def test_the_visits_of_a_planet_share_a_batch(dataset):
    """Guards against a planet that is split over two batches, and against rows that are lost or doubled."""
    rows = np.random.default_rng(1).permutation(len(dataset))
    for rng in (None, np.random.default_rng(0)):
        parts = dataset.batches(rows, size=5, rng=rng)
        assert sorted(np.concatenate(parts)) == sorted(rows)
        planets = [set(dataset.planet_id[part].tolist()) for part in parts]
        assert sum(map(len, planets)) == len(np.unique(dataset.planet_id))
        assert all(5 <= len(part) <= 6 for part in parts[:-1])
    plain = np.concatenate(dataset.batches(rows, size=5))
    first, then = (list(dict.fromkeys(dataset.planet_id[order].tolist())) for order in (rows, plain))
    assert first == then, "unshuffled, planets come in the order of the rows"
    shuffled = [
        np.concatenate(dataset.batches(rows, size=5, rng=np.random.default_rng(seed))).tolist()
        for seed in (0, 0, 1)
    ]
    assert shuffled[0] == shuffled[1] != shuffled[2]


def test_a_batch_says_which_visits_are_of_one_planet(dataset):
    """Guards against a prediction for a visit where one for its planet is asked for."""
    rows = [*dataset.rows_of([6]), *dataset.rows_of([3]), *dataset.rows_of([12])][::-1]
    of_planet = dataset.planet_id[rows]
    visit_of = dataset.batch(rows)["visit_of"].numpy()
    np.testing.assert_array_equal(visit_of[:, None] == visit_of, of_planet[:, None] == of_planet)
    assert len(rows) == 5


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
