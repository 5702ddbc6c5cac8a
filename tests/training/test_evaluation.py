"""Rows to planets, and what held-out planets score."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectramind_kit.training.evaluation import (
    combine_visits,
    evaluate_rows,
    planets_of_rows,
    predict_planets,
    spread,
)
from tests.training.known_rows import make_network


def test_visits_combine_to_planets_in_order():
    """Guards against planets in the order of their numbers, and errors divided by the number of visits."""
    planets, mean, sigma = combine_visits(
        np.array([7, 3, 7]), np.array([[1.0], [5.0], [3.0]]), np.array([[1.0], [2.0], [1.0]])
    )
    assert (
        planets.tolist() == [7, 3]
        and mean[:, 0].tolist() == [2.0, 5.0]
        and sigma[:, 0].tolist() == [1.0, 2.0]
    )


def test_embeddings_are_averaged_with_their_planet():
    """Guards against an embedding of one planet beside the spectrum of another."""
    found = {name: np.array([[1.0], [5.0], [3.0]]) for name in ("depth_mean", "depth_sigma", "fused")}
    found |= {"fgs1_embedding": np.zeros((3, 0)), "airs_embedding": np.array([[2.0], [7.0], [4.0]])}
    planets = planets_of_rows(np.array([7, 3, 7]), found)
    assert planets["planet_id"].tolist() == [7, 3] and planets["fused"][:, 0].tolist() == [2.0, 5.0]
    assert planets["airs_embedding"][:, 0].tolist() == [3.0, 7.0]
    assert planets["fgs1_embedding"].shape == (2, 0)


def test_planets_of_rows_that_begin_in_the_middle(held_out):
    """Guards against the first planets of the dataset beside the predictions of others."""
    model, _ = make_network()
    rows = held_out.dataset.rows_of([3, 5])
    found = predict_planets(model, held_out.dataset, rows)
    assert found["planet_id"].tolist() == [3, 5]
    own = evaluate_rows(model, held_out.dataset, held_out.dataset.rows_of([5]))["depth_mean"].mean(0)
    np.testing.assert_allclose(found["depth_mean"][1], own, rtol=1e-6)


def test_rows_that_nobody_predicted_are_nan():
    """Guards against zeros that pass for a prediction."""
    full = spread(np.ones((2, 3)), [2, 0], 4)
    assert np.isfinite(full).all(axis=1).tolist() == [True, False, True, False]


def test_held_out_planets_are_scored_by_planet(held_out):
    """Guards against labels in another order than the predictions, and against visits that count twice."""
    perfect, sigma = (
        held_out.dataset.tensors["depth"][held_out.rows].numpy(),
        np.full((len(held_out.rows), 283), 1e-5),
    )
    assert len(held_out.truth) == 8 < len(held_out.rows)
    right = held_out.score(perfect, sigma)
    assert right > held_out.score(perfect[::-1], sigma) and right > held_out.reference_score > 0
    assert right == pytest.approx(
        held_out.metric.score(held_out.truth, held_out.truth, sigma[:8], clip=False)
    )


def test_an_untouched_network_says_what_the_anchor_says(held_out):
    """Guards against rows that are lost or mixed up between batches."""
    model, _ = make_network()
    found = evaluate_rows(model, held_out.dataset, held_out.rows, batch_size=3)
    anchor = held_out.dataset.tensors["reference_depth"][held_out.rows].numpy()
    np.testing.assert_allclose(found["depth_mean"], anchor, rtol=1e-6)


def test_rows_come_back_in_the_order_that_was_asked_for(held_out):
    """Guards against predictions of other planets: the visits of one are read together, wherever they
    stand."""
    model, _ = make_network()
    rows = np.r_[held_out.rows[1::2], held_out.rows[::2]]
    assert (np.diff(held_out.dataset.planet_id[rows]) != 0).all(), "the visits of a planet stand apart"
    found = evaluate_rows(model, held_out.dataset, rows, batch_size=3)
    wanted = held_out.dataset.tensors["reference_depth"][torch.as_tensor(rows)].numpy()
    np.testing.assert_allclose(found["depth_mean"], wanted, rtol=1e-6)


def test_a_planets_score_is_its_own(held_out):
    """Guards against scores in another order than the planets: a bad prediction is one planet's."""
    depth = held_out.dataset.tensors["depth"][held_out.rows].numpy()
    sigma, off = np.full_like(depth, 1e-4), depth.copy()
    planets = np.unique(held_out.planet_id)
    off[held_out.planet_id == planets[2]] += 1e-3
    right, wrong = (held_out.planet_scores(mean, sigma) for mean in (depth, off))
    assert (wrong < right - 0.1).tolist() == [planet == planets[2] for planet in planets]
    assert held_out.score(off, sigma) == pytest.approx(wrong.mean())


class Clock(torch.nn.Module):
    """Predicts the first time stamp."""

    def forward(self, batch):
        first = batch["time"][:, :1]
        return SimpleNamespace(
            depth_mean=first,
            depth_sigma=torch.exp(first),
            fused=first,
            fgs1_embedding=None,
            airs_embedding=first,
        )


def test_both_directions_of_time_are_averaged(held_out):
    """Guards against an average that takes the same direction twice, or means of sigma instead of its log."""
    once = evaluate_rows(Clock(), held_out.dataset, held_out.rows)
    both = evaluate_rows(Clock(), held_out.dataset, held_out.rows, flip_average=True)
    assert np.allclose(once["depth_mean"], -2.0) and once["fgs1_embedding"].shape[1] == 0
    turned = -held_out.dataset.tensors["time"][held_out.rows, -1:].numpy()
    mean = 0.5 * (once["depth_mean"] + turned)
    np.testing.assert_allclose(both["depth_mean"], mean)
    np.testing.assert_allclose(both["depth_sigma"], np.exp(mean))
