"""Which epoch's weights are taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.training.checkpoint import load_checkpoint, save_checkpoint
from spectramind_kit.training.chosen import Chosen, is_better


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((2,), value)}


def scores(gain: float, *, n: int = 40, scatter: float = 0.02, seed: int = 0) -> np.ndarray:
    """Of planets that differ by much more than they gain, and gain by different amounts."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.4, 0.2, n) + gain + scatter * np.linspace(-1, 1, n)


def start(n: int = 40) -> np.ndarray:
    return scores(0.0, n=n, scatter=0.0)


def test_a_gain_must_exceed_its_error():
    """Guards against a gain of a lucky few, and against one that is lost in how planets differ."""
    assert is_better(scores(0.01), start()) and not is_better(scores(0.001), start())
    assert not is_better(scores(-0.01), start()) and not is_better(start(), start())
    one = start().copy()
    one[0] += 1.0
    assert not is_better(one, start()), "all of it is one planet's"


def test_few_planets_must_gain_more():
    """Guards against the error of a dozen differences taken for its true value."""
    n = 12
    difference = scores(0.0, n=n) - start(n)
    error = difference.std(ddof=1) / np.sqrt(n)
    assert not is_better(start(n) + difference + 1.5 * error, start(n))
    assert is_better(start(n) + difference + 2.5 * error, start(n))
    assert not is_better(np.array([0.9]), np.array([0.1])), "one planet has no error"


def test_the_start_stays_until_something_is_better():
    """Guards against weights that are worse than those a training began with."""
    chosen = Chosen()
    assert chosen.offer(0, weights(0.0), start())
    assert not chosen.offer(1, weights(1.0), scores(0.001))
    assert chosen.epoch == 0 and torch.equal(chosen.state["weight"], torch.zeros(2))
    assert chosen.offer(2, weights(2.0), scores(0.01))
    assert (chosen.epoch, float(chosen.state["weight"][0])) == (2, 2.0)
    assert chosen.score == pytest.approx(scores(0.01).mean())


def test_the_best_epoch_is_kept():
    """Guards against the last epoch that beats the start, though an earlier one is better."""
    chosen = Chosen()
    for epoch, gain in enumerate((0.0, 0.01, 0.03, 0.02)):
        chosen.offer(epoch, weights(float(epoch)), scores(gain))
    assert chosen.epoch == 2 and float(chosen.state["weight"][0]) == 2.0


def test_without_inner_planets_the_last_epoch_is_taken():
    """Guards against a training of few planets that ends with its untouched weights."""
    chosen = Chosen()
    assert all(chosen.offer(epoch, weights(float(epoch)), None) for epoch in range(3))
    assert chosen.epoch == 2 and float(chosen.state["weight"][0]) == 2.0


def test_what_is_taken_does_not_move_any_more():
    """Guards against chosen weights that the training goes on changing."""
    chosen, state = Chosen(), weights(1.0)
    chosen.offer(0, state, None)
    state["weight"].add_(5.0)
    assert torch.equal(chosen.state["weight"], torch.ones(2))


@pytest.mark.parametrize("inner", [True, False])
def test_a_restart_knows_what_was_chosen(tmp_path, inner):
    """Guards against a restart that takes a worse epoch for a gain, or that no checkpoint can hold."""
    chosen = Chosen()
    chosen.offer(0, weights(0.0), start() if inner else None)
    chosen.offer(1, weights(1.0), scores(0.02) if inner else None)
    save_checkpoint(tmp_path / "fold.pt", {"chosen": chosen.to_dict()}, digest="d")
    again = Chosen.from_dict(load_checkpoint(tmp_path / "fold.pt", digest="d")["chosen"])
    assert again.epoch == chosen.epoch == 1 and torch.equal(again.state["weight"], torch.ones(2))
    assert again.score == chosen.score or not inner
    later = scores(0.01) if inner else None
    assert again.offer(2, weights(2.0), later) == chosen.offer(2, weights(2.0), later) == (not inner)


def test_a_restart_before_the_first_epoch_is_a_fresh_one():
    """Guards against a checkpoint of nothing that cannot be read."""
    again = Chosen.from_dict(Chosen().to_dict())
    assert again.state is None and again.offer(0, weights(0.0), start()) and again.start is not None
