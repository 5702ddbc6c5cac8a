"""One step of a training, and all that a restart needs of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.training.fold_state import FoldState
from spectramind_kit.training.precision import FLOAT32_CPU
from tests.training.known_rows import make_network, quick_settings


def make_state(held_out, steps=4):
    model, loss = make_network()
    state = FoldState(model, settings=quick_settings(), precision=FLOAT32_CPU, steps_per_epoch=steps)
    batch = held_out.dataset.batch(held_out.rows)
    return state, lambda: state.step(loss(model(batch), batch, epoch=0).total)


def weights(state):
    return torch.cat([p.detach().flatten() for p in state.model.parameters()])


def test_a_step_moves_the_weights_and_clears_the_gradient(held_out):
    """Guards against gradients that add up over steps."""
    state, step = make_state(held_out)
    before = weights(state)
    shares = step()
    assert (weights(state) != before).any() and sum(shares.values()) == pytest.approx(1.0)
    assert all(p.grad is None for p in state.model.parameters())


def test_a_gradient_that_is_not_finite_costs_its_step(held_out):
    """Guards against one broken batch that makes every weight NaN."""
    state, step = make_state(held_out)
    step()
    before = weights(state)
    state.step(next(state.model.parameters()).sum() * float("nan"))
    assert (weights(state) == before).all() and state.average.steps == 2


def test_a_restart_goes_on_as_if_there_had_been_none(held_out, tmp_path):
    """Guards against a checkpoint without the optimiser's moments, the schedule or the averaged weights."""
    first, step = make_state(held_out)
    for _ in range(3):
        step()
    first.epoch, first.held_out_score = 1, 0.25
    first.chosen.offer(1, first.average.state, np.array([0.3, 0.5]))
    first.save(tmp_path / "fold.pt", digest="d")
    second, step_again = make_state(held_out)
    second.resume(tmp_path / "fold.pt", digest="d")
    assert (second.epoch, second.held_out_score, second.finished) == (1, 0.25, False)
    assert (second.chosen.epoch, second.chosen.score) == (1, 0.4)
    np.testing.assert_array_equal(second.chosen.start, [0.3, 0.5])
    assert first.learning_rate == second.learning_rate < quick_settings().learning_rate
    for one in (step, step_again):
        torch.manual_seed(5)
        one()
    torch.testing.assert_close(weights(first), weights(second))
    for name, value in first.average.state.items():
        torch.testing.assert_close(second.average.state[name], value)


def test_a_checkpoint_of_other_inputs_is_left_alone(held_out, tmp_path, capsys):
    """Guards against weights of other labels that are taken as a start."""
    state, _ = make_state(held_out)
    state.epoch = 2
    state.save(tmp_path / "fold.pt", digest="old")
    fresh, _ = make_state(held_out)
    fresh.resume(tmp_path / "fold.pt", digest="new")
    assert fresh.epoch == 0 and "afresh" in capsys.readouterr().out
