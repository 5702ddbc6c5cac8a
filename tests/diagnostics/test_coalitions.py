"""The game behind the attributions: the two ends of a coalition, and what a budget pays for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectramind_kit.diagnostics.coalitions import Game, coalitions_of_a_round, plan
from spectramind_kit.diagnostics.input_groups import take_rows
from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import example_batch


def network(batch) -> SimpleNamespace:
    """δ from every group of inputs."""
    parts = (
        batch["fgs1"].mean(1),
        batch["airs"].mean((1, 2)),
        batch["star"].sum(1),
        batch["bins"].mean((1, 2)),
    )
    delta = sum(parts) + batch["time"].mean(1) + batch["transit_shape"].mean(1)
    mean = batch["reference_depth"] + batch["reference_err"] * delta[:, None]
    return SimpleNamespace(
        depth_mean=mean, depth_sigma=batch["reference_err"] * torch.exp(0.1 * delta[:, None])
    )


@pytest.fixture
def game() -> Game:
    batch = example_batch(5, time_steps=12)
    pool = {
        n: p + 0.2 if p.is_floating_point() and "anchor" not in n and n != "wavelength_um" else p
        for n, p in batch.items()
    }
    return Game(network, batch, pool)


def test_the_ends_of_a_coalition_are_the_planet_and_its_donors(game):
    """Guards against groups that leak: all in is the planet itself, all out the mean of its donors."""
    donors, n_groups = np.array([1, 3, 4]), len(game.groups)
    value = game.coalitions(0, donors)(np.stack([np.ones(n_groups), np.zeros(n_groups)]))
    own = take_rows(game.batch, [0])
    np.testing.assert_allclose(value[0], game.outputs(own)[0], atol=1e-5)
    anchored = {n: game.batch[n][[0, 0, 0]] for n in ("reference_depth", "reference_err")}
    swapped = game.outputs(take_rows(game.pool, donors) | anchored).mean(axis=0)
    np.testing.assert_allclose(value[1], swapped, atol=1e-5)
    assert len(game.output_names) == value.shape[1] == 2 * len(game.bands)
    assert game.output_names[0] == "δ FGS1" and game.output_names[len(game.bands)] == "log σ FGS1"


def test_many_coalitions_are_as_a_few(game):
    """Parity: passes of a fixed size change nothing."""
    z = (np.random.default_rng(0).random((40, len(game.groups))) > 0.5).astype(float)
    evaluate = game.coalitions(2, np.array([0, 1]))
    np.testing.assert_allclose(evaluate(z), np.concatenate([evaluate(z[:7]), evaluate(z[7:])]), atol=1e-5)


def test_a_planet_does_not_donate_to_itself(game):
    """Guards against a background that holds the planet, which would shrink every value."""
    assert game.donors_of(2).tolist() == [0, 1, 2, 3, 4]
    assert Game(network, game.batch, game.batch).donors_of(2).tolist() == [0, 1, 3, 4]


def test_an_output_that_is_not_finite_is_refused(game):
    """Guards against Shapley values of NaN that are drawn as an empty figure."""
    broken = {**game.batch, "star": game.batch["star"] * np.nan}
    with pytest.raises(DataError, match="not finite"):
        game.outputs(broken)


def test_a_round_holds_every_group_alone_in_and_alone_out():
    """Oracle: shap shares its coalitions out by size; the smallest and largest sizes must come out whole."""
    for n_groups in (5, 12, 13):
        sizes = np.arange(1, n_groups // 2 + 1)
        share = (n_groups - 1) / (sizes * (n_groups - sizes)) * np.where(2 * sizes == n_groups, 1, 2)
        assert coalitions_of_a_round(n_groups) * share[0] / share.sum() >= 2 * n_groups


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        (0.1, (1, 1, 1)),
        (7, (1, 7, 1)),
        (17, (2, 8, 1)),
        (30, (3, 10, 1)),
        (45, (4, 10, 1)),
        (1e4, (6, 10, 4)),
    ],
)
def test_a_budget_goes_to_planets_then_background_then_more_of_each(passes, expected):
    """Guards against a figure of one planet with many rounds, and against none on a slow machine."""
    assert plan(passes, planets=10, background=6) == expected
