"""Predictions are read as they were written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.predictions import Predictions, read_predictions

WAVELENGTH_UM = np.linspace(0.7, 3.9, 283)


@pytest.fixture
def predictions():
    mean = np.arange(3.0)[:, None] * np.ones(283) + WAVELENGTH_UM
    return Predictions(
        np.array([30, 10, 20]),
        WAVELENGTH_UM,
        mean,
        np.full((3, 283), 1e-4),
        anchor_depth=mean + 1,
        anchor_err=np.full((3, 283), 2e-4),
        source=np.array(["anchor", "naive", "anchor"]),
        made_from={"bundle": "abc"},
    )


def test_a_file_holds_all_of_it(predictions, tmp_path):
    """Guards against a writer and a reader that have drifted apart."""
    found = Predictions.load(predictions.save(tmp_path / "predictions" / "test.npz"))
    for field in dataclasses.fields(Predictions):
        one, two = getattr(predictions, field.name), getattr(found, field.name)
        assert (one is None) == (two is None), field.name
        if field.name != "made_from" and one is not None:
            np.testing.assert_array_equal(one, two)
    assert found.made_from == {"bundle": "abc"} and found.counts == {"anchor": 2, "naive": 1}


@pytest.mark.parametrize("damage", ["gone", "cut", "another's"])
def test_a_damaged_file_is_a_data_error(predictions, tmp_path, damage):
    """Guards against NumPy's and zipfile's own exceptions, of which there are many."""
    path = predictions.save(tmp_path / "test.npz")
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-300])
    else:
        np.savez(path, planet_id=np.arange(3))
    with pytest.raises(DataError, match="predictions cannot be read"):
        Predictions.load(path)


def test_absent_and_empty_files_are_told(predictions, tmp_path):
    """Guards against figures of no planet."""
    told = []
    assert read_predictions(tmp_path / "oof.npz", tell=told.append) is None
    predictions.only(np.zeros(3, dtype=bool)).save(tmp_path / "test.npz")
    assert read_predictions(tmp_path / "test.npz", tell=told.append) is None
    assert told == ["no oof.npz: no predictions of the train planets", "test.npz holds no planet"]


def test_rows_are_taken_by_planet(predictions):
    """Guards against spectra that land on the planet of another row."""
    spectra = np.full((2, 283), 9.0), np.full((2, 283), 3e-4)
    changed = predictions.with_rows([20, 30], spectra, source="flat")
    assert changed.depth_mean[:, 0].tolist() == [9.0, predictions.depth_mean[1, 0], 9.0]
    assert predictions.depth_mean.max() < 9.0, "the first one is as it was"
    part = predictions.only(predictions.rows_of([20, 30]))
    assert part.planet_id.tolist() == [20, 30] and len(part.wavelength_um) == 283
    assert part.source.tolist() == ["anchor", "anchor"]


def test_what_the_network_did_not_read_is_filled_from_below(predictions):
    """Guards against NaN for one planet, in a run with anchors and in one without."""
    network = {
        "network_depth_mean": predictions.depth_mean + 5,
        "network_depth_sigma": predictions.depth_sigma,
    }
    network["network_depth_mean"][1] = np.nan
    anchored = dataclasses.replace(predictions, **network)
    bare = dataclasses.replace(anchored, anchor_depth=None, anchor_err=None)
    for run, below in ((anchored, "anchor"), (bare, "final")):
        for found, expected, own in zip(run.stage("network"), run.stage(below), network.values()):
            np.testing.assert_array_equal(found[1], expected[1])
            np.testing.assert_array_equal(found[::2], own[::2])


def test_bins_of_every_stage_move_together(predictions):
    """Guards against an anchor in another order of wavelengths than the prediction."""
    order = np.arange(283)[::-1]
    turned = predictions.in_bins(order)
    for name in ("depth_mean", "anchor_depth"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(predictions, name)[:, order])
    np.testing.assert_array_equal(turned.wavelength_um, WAVELENGTH_UM[order])
