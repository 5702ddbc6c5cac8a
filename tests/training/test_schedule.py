"""Learning rate, warm start, averaged weights."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from spectramind_kit.models import HeteroscedasticHead
from spectramind_kit.training.schedule import (
    AveragedWeights,
    WarmStart,
    gradient_share,
    learning_rate_factor,
    parameter_groups,
)


def test_the_learning_rate_rises_and_falls_to_zero():
    """Guards against a first step at the full rate, and against weights that still move at the end."""
    factors = [learning_rate_factor(step, total_steps=100, warmup_fraction=0.1) for step in range(101)]
    assert factors[:2] == [0.1, 0.2] and max(factors) == 1.0 == factors[10]
    assert all(a >= b for a, b in itertools.pairwise(factors[10:])) and factors[100] == pytest.approx(0.0)


def test_the_encoder_is_released_from_its_end():
    """Guards against an encoder that stays frozen, or is set free at once."""
    encoder = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 2))
    warm = WarmStart(encoder, frozen_epochs=2, release_every=2)
    assert [warm.apply(epoch) for epoch in range(7)] == [
        ["3", "2", "0"],
        ["3", "2", "0"],
        ["2", "0"],
        ["2", "0"],
        ["0"],
        ["0"],
        [],
    ]
    assert all(p.requires_grad for p in encoder.parameters())


def test_two_encoders_are_released_one_after_the_other():
    """Guards against pre-trained weights of which one encoder is never frozen, or never free, and against a
    log that does not tell whose parts are."""
    first, second = nn.Sequential(nn.Linear(2, 2)), nn.ModuleList([nn.Linear(2, 2)])
    first.scale = nn.Parameter(torch.ones(1))
    warm = WarmStart(first, second, frozen_epochs=1)
    assert [warm.apply(epoch) for epoch in range(4)] == [
        ["ModuleList.0", "Sequential.0", "Sequential.own"],
        ["Sequential.0", "Sequential.own"],
        ["Sequential.own"],
        [],
    ]
    assert all(p.requires_grad for p in (*first.parameters(), *second.parameters()))


def test_averaged_weights_follow_and_forget_the_start():
    """Guards against an average that is still half the initial weights after a short training."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = AveragedWeights(model, decay=0.999)
    nn.init.ones_(model.weight)
    for _ in range(20):
        average.update(model)
    assert 0.95 < float(average.state["weight"]) <= 1.0


def test_weight_decay_is_for_matrices():
    """Guards against biases and state-space parameters that are pulled to zero."""
    model = nn.Linear(3, 2)
    model.rate = nn.Parameter(torch.zeros(2, 2))
    model.rate._no_weight_decay = True
    decayed, free = parameter_groups(model, weight_decay=0.1)
    assert [p.shape for p in decayed["params"]] == [(2, 3)] and len(free["params"]) == 2
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_sigma_has_a_decay_of_its_own():
    """Guards against errors that overfit before means do, and against a mark that no optimiser finds."""
    head = HeteroscedasticHead(width=4, readings=2)
    groups = {
        group["weight_decay"]: group["params"]
        for group in parameter_groups(head, weight_decay=0.1, sigma_weight_decay=0.7)
    }
    assert set(groups) == {0.0, 0.1, 0.7}
    assert {id(p) for p in groups[0.7]} == {id(head.fgs1.sigma.weight), id(head.airs.sigma.weight)}
    assert sum(map(len, groups.values())) == len(list(head.parameters()))


def test_gradient_shares():
    """Guards against NaN in the log where a gradient overflowed or nothing flows."""
    a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    a.weight.grad, b.weight.grad = torch.full((1, 1), 2.0), torch.full((1, 1), 1.0)
    assert gradient_share((("a", a), ("b", b))) == {"a": 0.8, "b": 0.2}
    b.weight.grad = torch.full((1, 1), float("nan"))
    assert gradient_share((("a", a), ("b", b))) == {"a": 0.0, "b": 0.0}
