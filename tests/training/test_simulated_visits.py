"""Visits that are drawn as they are needed."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.models.batch import check_batch
from spectramind_kit.training import simulated_visits as module
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.simulated_visits import WORLD_SHARES, simulated_visits
from tests.transit.synthetic import make_light_curve, make_planet


@pytest.fixture(scope="module")
def drawn():
    return simulated_visits(8, seed=3, shard=2)


def flat(rows):
    return np.concatenate([np.ravel(row[name]) for row in rows for name in ("airs", "fgs1", "bins")])


def test_rows_fit_a_batch_and_have_labels(drawn):
    """Guards against a planet that is trained on another one's spectrum, and against rows that do not fit."""
    rows, labels = drawn
    assert list(labels) == list(range(8)) and {row["planet_id"] for row in rows} <= set(labels)
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(rows), depth=labels)
    check_batch(dataset.batch(range(len(rows))))
    white = np.array([row["reference_depth"][0] for row in rows])
    truth = np.array([labels[row["planet_id"]][1:].mean() for row in rows])
    assert np.corrcoef(np.log(white), np.log(truth))[0, 1] > 0.9


def test_a_shard_is_the_same_again(drawn):
    """Guards against a restart that learns from other planets than the run it goes on from."""
    rows, labels = simulated_visits(8, seed=3, shard=2)
    np.testing.assert_array_equal(flat(rows), flat(drawn[0]))
    np.testing.assert_array_equal(list(labels.values()), list(drawn[1].values()))


@pytest.mark.parametrize("other", [{"seed": 3, "shard": 3}, {"seed": 4, "shard": 2}])
def test_shards_have_planets_of_their_own(drawn, other):
    """Guards against epochs that see the same planets, and against a seed that changes nothing."""
    _, labels = simulated_visits(8, **other)
    ours, theirs = (np.array(list(found.values()))[:, 1:].mean(1) for found in (drawn[1], labels))
    assert not np.isclose(ours[:, None], theirs, rtol=1e-9).any()


@pytest.mark.parametrize("n_planets", [1, 7, 400, 1000])
def test_the_worlds_share_the_planets(n_planets):
    """Guards against planets that rounding loses, and against a world that is left out of a large shard."""
    shares = module._planets_of_worlds(n_planets)
    assert sum(shares.values()) == n_planets and min(shares.values()) > 0
    if n_planets >= 400:
        assert set(shares) == set(WORLD_SHARES)
        assert all(abs(shares[name] - share * n_planets) <= 1 for name, share in WORLD_SHARES.items())


def test_planets_to_judge_by_are_whole(drawn, monkeypatch):
    """Guards against scores that depend on how many visits were cut short."""
    monkeypatch.setattr(module, "_CUT_SHORT", 1.0)
    monkeypatch.setattr(module, "_WITHOUT_FGS1", 1.0)
    whole, _ = simulated_visits(3, seed=3, shard=2, changed=False)
    assert all(row["fgs1"].any() for row in whole)
    broken, _ = simulated_visits(3, seed=3, shard=2)
    assert broken and not any(row["fgs1"].any() for row in broken)


@pytest.mark.parametrize("what", ["_CUT_SHORT", "_WITHOUT_AIRS", "_WITHOUT_FGS1"])
def test_visits_are_damaged_as_the_light_curves_of_stage_1_are(monkeypatch, what):
    """Guards against damage that no real visit has: an error without a flux, or nothing left at all."""
    for name in ("_CUT_SHORT", "_WITHOUT_AIRS", "_WITHOUT_FGS1"):
        monkeypatch.setattr(module, name, float(name == what))
    curve = make_light_curve(make_planet(1), seed=1)
    for seed in range(6):
        damaged = module._damaged(curve, np.random.default_rng(seed))
        gone = np.isnan(damaged.flux)
        np.testing.assert_array_equal(gone, np.isnan(damaged.flux_err))
        np.testing.assert_array_equal(damaged.flux[~gone], curve.flux[~gone])
        assert gone.any() and not np.isnan(curve.flux).any()
        if what == "_CUT_SHORT":
            assert gone.all(axis=1).mean() <= 0.41 and (gone.any(axis=1) == gone.all(axis=1)).all()
            assert gone[0].all() != gone[-1].all(), "one end is there"
        else:
            assert gone.any(axis=0).tolist() == [what == "_WITHOUT_FGS1"] + 282 * [what == "_WITHOUT_AIRS"]


def test_a_visit_may_stay_as_it_is():
    """Guards against a network that never sees a whole visit."""
    curve = make_light_curve(make_planet(1), seed=1)
    kept = [
        np.array_equal(module._damaged(curve, np.random.default_rng(seed)).flux, curve.flux)
        for seed in range(40)
    ]
    assert 0.8 < np.mean(kept) < 1.0


def test_half_the_memory_keeps_the_digits_of_depths(drawn):
    """Guards against depths that are rounded to float32 beside the labels they are compared with."""
    row = drawn[0][0]
    assert row["airs"].dtype == np.float32 and row["reference_depth"].dtype == np.float64
