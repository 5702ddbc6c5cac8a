"""Shards of simulated visits, epoch by epoch."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from spectramind_kit.training import simulated_shards as module
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.simulated_shards import Shards, draw_shard
from spectramind_kit.training.simulated_visits import simulated_visits


class Pool:
    """Draws at once, in this process, and remembers what was asked for."""

    def __init__(self):
        self.asked = []

    def submit(self, draw, planets, seed, shard):
        self.asked.append(shard)
        future = Future()
        future.set_result(draw(planets, seed, shard))
        return future


@pytest.fixture
def pool(monkeypatch):
    """No process is started: the pool of `Shards` is set by the test, None at first."""
    chosen = {"pool": None, "workers": None}

    @contextmanager
    def worker_pool(workers, *, task):
        chosen["workers"] = workers
        yield chosen["pool"]

    monkeypatch.setattr(module, "worker_pool", worker_pool)
    return chosen


@pytest.fixture(scope="module")
def shards():
    rows, _ = simulated_visits(2, seed=9, shard=50)
    return Shards(2, seed=9, replay=2, normaliser=Normaliser.fit(rows))


def epochs(shards, first, end):
    """Of each epoch, the labels of its datasets: they tell the planets."""
    with shards.epochs(first, end) as found:
        return [[data.tensors["depth"].clone() for data in datasets] for datasets in found]


def same(found, wanted):
    assert [len(epoch) for epoch in found] == [len(epoch) for epoch in wanted]
    return all(torch.equal(a, b) for one, two in zip(found, wanted) for a, b in zip(one, two))


def test_an_epoch_reads_the_last_shards(shards, pool):
    """Guards against a shard that is read for ever, once, or not in the epoch that it was drawn for."""
    found = epochs(shards, 0, 4)
    assert [len(epoch) for epoch in found] == [1, 2, 2, 2]
    assert all(torch.equal(found[k][-2], found[k - 1][-1]) for k in (1, 2, 3))
    fresh = {float(epoch[-1].sum()) for epoch in found}
    assert len(fresh) == 4
    _, labels = simulated_visits(2, seed=9, shard=3)
    np.testing.assert_array_equal(np.unique(found[3][-1][:, 5]), np.unique([v[5] for v in labels.values()]))


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_restart_reads_what_a_whole_run_does(shards, pool, first):
    """Guards against a restart whose first epochs have less to learn from, or other planets."""
    assert same(epochs(shards, first, 4), epochs(shards, 0, 4)[first:])


def test_worker_processes_change_nothing(shards, pool):
    """Guards against shards in the order in which they were finished; none is drawn twice or for nothing."""
    alone = epochs(shards, 1, 4)
    pool["pool"] = workers = Pool()
    assert same(epochs(shards, 1, 4), alone)
    assert workers.asked == [0, 1, 2, 3]


def test_a_few_shards_are_drawn_ahead(shards, pool):
    """Guards against an epoch that waits for its planets, and against all shards in memory at once."""
    pool["pool"] = workers = Pool()
    with shards.epochs(0, 30) as found:
        next(found)
        assert 1 < len(workers.asked) < 6


def test_one_core_is_left_to_learn(shards, pool, monkeypatch):
    """Guards against no worker at all on one core, and against workers that slow the training down."""
    for cores, workers in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(module, "cpu_count", lambda cores=cores: cores)
        epochs(shards, 0, 1)
        assert pool["workers"] == workers
    with shards.epochs(0, 1, workers=3):
        assert pool["workers"] == 3


def test_a_shard_is_what_is_simulated():
    """Guards against a worker that draws other planets than this process."""
    (rows, labels), (again, same_labels) = draw_shard(2, 9, 1), simulated_visits(2, seed=9, shard=1)
    np.testing.assert_array_equal(rows[0]["airs"], again[0]["airs"])
    np.testing.assert_array_equal(labels[1], same_labels[1])
