"""How many epochs fit the time that is left."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.runtime import TimeBudget
from spectramind_kit.training.plan import plan_epochs
from tests.training.known_rows import CPU, make_network, quick_settings


def planned(dataset, hours: float, *, epochs: int = 6) -> int:
    budget = TimeBudget(hours, reserve=0.0, clock=lambda: 0.0)
    return plan_epochs(
        *make_network(), dataset, settings=quick_settings(epochs=epochs), device=CPU, budget=budget
    )


def test_more_time_gives_more_epochs_up_to_those_wanted(dataset):
    """Guards against a plan that does not look at the clock, and one that goes beyond the settings."""
    assert planned(dataset, 1e-9) == 0
    assert planned(dataset, 10.0) == 6
    assert planned(dataset, 50.0, epochs=10**6) > planned(dataset, 0.5, epochs=10**6) > 0


def test_planning_changes_nothing(dataset):
    """Guards against a training that depends on whether it was timed before: weights and random numbers."""
    model, loss = make_network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    budget = TimeBudget(1.0)
    plan_epochs(model, loss, dataset, settings=quick_settings(), device=CPU, budget=budget)
    assert torch.rand(1) == pytest.approx(expected)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
