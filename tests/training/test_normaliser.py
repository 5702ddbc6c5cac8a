"""Standardised features, also where the table has holes."""

from __future__ import annotations

import warnings

import numpy as np

from spectramind_kit.training.normaliser import FEATURE_LIMIT, Normaliser
from tests.training.known_rows import rows_and_labels


def test_missing_star_features_become_the_mean(dataset):
    """Guards against one empty cell of the star table that makes every prediction NaN."""
    assert dataset.tensors["star"].isfinite().all() and dataset.tensors["bins"].isfinite().all()
    assert dataset.normaliser.star({}).tolist() == [0.0, 0.0]


def test_a_feature_that_no_planet_has_says_nothing():
    """Guards against NumPy's warnings on the screen, and NaN in the network, where a table lacks a column."""
    rows, _ = rows_and_labels(3)
    rows = [row | {"star": {"Ts": row["star"]["Ts"], "gone": np.nan}} for row in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normaliser = Normaliser.fit(rows)
    assert all(normaliser.star({"Ts": 6e3, "gone": value})[1] == 0.0 for value in (np.nan, np.inf))


def test_features_are_standardised_and_bounded():
    """Guards against a scale of zero (a feature that is the same for all) and against one odd planet."""
    rows, _ = rows_and_labels()
    normaliser = Normaliser.fit(rows)
    bins = np.stack([normaliser.bins(row["bins"]) for row in rows])
    assert abs(bins[..., 1].mean()) < 1e-9 and abs(bins[..., 1].std() - 1) < 1e-9
    assert (bins[..., 0] == 0).all(), "a constant feature says nothing"
    assert normaliser.bins(rows[0]["bins"] + 1e6).max() == FEATURE_LIMIT


def test_it_is_kept_in_the_bundle_whole():
    """Guards against a network that is fed features on another scale than it was trained on."""
    rows, _ = rows_and_labels()
    first = Normaliser.fit(rows)
    again = Normaliser.from_dict(first.to_dict())
    assert again.star_names == first.star_names
    for row in rows[:3]:
        np.testing.assert_array_equal(again.bins(row["bins"]), first.bins(row["bins"]))
        np.testing.assert_array_equal(again.star(row["star"]), first.star(row["star"]))
