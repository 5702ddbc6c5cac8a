"""Planets to try a model on: of a run's folder, or simulated."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.run_folder import open_run
from spectramind_kit.training.labelled_planets import planets_of_run, simulated_planets


def test_planets_of_a_run_are_those_of_its_folds(small_run):
    """Guards against labels, folds or anchors of other planets than the light curves."""
    run = small_run.open("train")
    for visits in small_run.light_curves["train"].values():
        settings = open_run(run.root).settings_folders["store"]
        visits[0].save(run.root / "store" / settings / f"{visits[0].planet_id}_0.npz")
    results = open_run(run.root)
    planets = planets_of_run(results)
    assert set(planets.light_curves) == set(planets.planet_ids.tolist())
    for planet, visits in planets.light_curves.items():
        assert visits[0].planet_id == planet
        np.testing.assert_allclose(planets.labels[planet], small_run.labels.loc[planet], rtol=1e-9)
    row = planets.rows_of([planets.planet_ids[3]])[0]
    assert row == 3 and set(planets.fold) == {0, 1}
    np.testing.assert_array_equal(planets.anchor[0], results.oof.anchor_depth)
    assert planets.stars.index.isin(planets.planet_ids).any()


def test_a_run_without_its_train_planets_says_which_stage_makes_them(small_run, tmp_path):
    """Guards against a KeyError in a notebook that is opened in an empty folder."""
    with pytest.raises(DataError, match="02_train"):
        planets_of_run(open_run(tmp_path))
    with pytest.raises(DataError, match="01_light_curves"):
        planets_of_run(open_run(small_run.root))


def test_simulated_planets_come_with_anchors_of_other_folds():
    """Guards against both visits of a planet in two folds, and anchors that belong to other planets."""
    planets = simulated_planets(8, seed=4, folds=2)
    assert len(planets.light_curves) == len(planets.planet_ids) == len(planets.depth) == 8
    error = planets.anchor[0].mean(axis=1) / planets.depth.mean(axis=1) - 1.0
    assert np.median(np.abs(error)) < 0.02 and planets.depth.mean(axis=1).std() > 1e-3
    bare = simulated_planets(8, seed=4, folds=2, anchors=False)
    assert bare.anchor is None
    np.testing.assert_array_equal(bare.depth, planets.depth)
    np.testing.assert_array_equal(bare.stars.index, planets.planet_ids)
