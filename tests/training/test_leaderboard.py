"""Scores side by side."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.metric import Metric
from spectramind_kit.training.leaderboard import leaderboard


def test_the_best_stands_first_and_gains_are_of_the_same_planets():
    """Guards against an error of the gain that is the scatter of the planets, which hides every gain."""
    rng, metric = np.random.default_rng(0), Metric()
    depth = 0.0147 * np.exp(0.5 * rng.normal(size=(40, 1))) * np.ones((40, 283))
    off = rng.normal(size=depth.shape)
    sigma = 1e-4 * np.exp(rng.normal(size=(40, 1))) * np.ones(283)  # some planets are known far better
    predictions = {
        "mine": (depth + 0.9 * sigma * off, 0.9 * sigma),
        "anchor": (depth + sigma * off, sigma),
        "naive": metric.naive(depth.shape),
    }
    table = leaderboard(depth, predictions, metric=metric)
    assert list(table.index) == ["mine", "anchor", "naive"]
    assert table.loc["naive", "score"] == pytest.approx(0.0, abs=1e-12)
    assert table.loc["mine", "score"] == pytest.approx(metric.score(depth, *predictions["mine"]))
    assert np.isnan(table.loc["anchor", "gain"]) and table.loc["mine", "better_on"] == 1.0
    scatter = metric.planet_scores(depth, *predictions["mine"]).std() / np.sqrt(40)
    assert table.loc["mine", "gain"] > 5 * table.loc["mine", "gain_error"] and scatter > 0.01
