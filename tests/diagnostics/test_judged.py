"""Scores, errors and pulls of the sets with known depths: those of the scorer, of the submitted planets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.judged import bootstrap_interval, judged_sets, rms, typical_pull


def test_scores_are_the_scorers_stage_by_stage(run):
    """Guards against a figure or a table that scores by another formula, or other naive numbers."""
    for judged in judged_sets(run):
        for stage in ("anchor", "network", "final"):
            score = run.metric.score(judged.predictions.depth, *judged.predictions.stage(stage))
            assert judged.stage_scores[stage].mean() == pytest.approx(score, abs=1e-12)
            np.testing.assert_array_equal(judged.at(stage).scores, judged.stage_scores[stage])
        np.testing.assert_array_equal(judged.scores, judged.stage_scores["final"])


def test_a_stage_that_is_not_known_of_all_planets_is_left_out(run):
    """Guards against a bar of NaN for planets that have neither an anchor nor the network's depths."""
    for values in (run.oof.anchor_depth, run.oof.network_depth_mean):
        values[3] = np.nan
    assert set(judged_sets(run)[1].stage_scores) == {"final"}


def test_one_planet_that_the_network_could_not_read_leaves_its_score(run):
    """Guards against a run without anchors whose network vanishes from the ladder for one dead planet."""
    bare = replace(run.oof, anchor_err=None, network_depth_mean=run.oof.network_depth_mean.copy())
    bare.network_depth_mean[3] = np.nan
    before, judged = judged_sets(run)[1], judged_sets(replace(run, oof=bare))[1]
    expected = before.stage_scores["network"].copy()
    expected[3] = judged.scores[3]
    np.testing.assert_allclose(judged.stage_scores["network"], expected)


def test_pulls_of_honest_sigmas_have_unit_width(run):
    """Inverse: the example's errors are drawn with the stated σ."""
    for judged in judged_sets(run):
        assert judged.pulls.std() == pytest.approx(1.0, abs=0.05)
        assert rms(judged.error / judged.predictions.depth_sigma) == pytest.approx(1.0, abs=0.05)


def test_a_typical_pull_is_not_that_of_outliers():
    """Oracle: Gaussian errors of twice the σ, two of them hopeless; and an offset of all is an error."""
    pulls = 2.0 * np.random.default_rng(0).normal(size=4000)
    pulls[:2] = 1e4
    assert typical_pull(pulls) == pytest.approx(2.0, rel=0.05) and typical_pull(np.full(9, 3.0)) > 3.0


def test_the_interval_covers_the_mean_as_often_as_it_says():
    """Oracle: of many samples of 40, about 95 % have the true mean inside; one planet has no interval."""
    samples = np.random.default_rng(3).normal(0.4, 0.2, size=(300, 40))
    ends = np.array([bootstrap_interval(sample, draws=400) for sample in samples])
    low, high = ends.T
    assert 0.9 < ((low < 0.4) & (high > 0.4)).mean() < 0.99
    assert bootstrap_interval(np.array([0.7])) == (0.7, 0.7)
