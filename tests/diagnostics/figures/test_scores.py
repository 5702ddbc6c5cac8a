"""The ladder and the breakdown show the official scores."""

from __future__ import annotations

import json

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.diagnostics.figures.scores import plot_score_breakdown, plot_score_ladder
from spectramind_kit.diagnostics.judged import judged_sets
from spectramind_kit.run_folder import open_run


def test_the_ladder_shows_the_official_scores(run, texts):
    """Guards against another formula, another order of planets or other naive numbers."""
    predictions = run.judged["test, against truth"]
    shown = texts(plot_score_ladder(run))
    for stage in ("anchor", "network", "final"):
        assert f"{run.metric.score(predictions.depth, *predictions.stage(stage)):.3f}" in shown
    assert "naive" in shown and "0.000" in shown


def test_the_logged_flat_depth_joins_the_ladder(run, texts):
    """Guards against a baseline that the run has scored but the report forgets."""
    score = {"event": "score", "name": "flat depth", "split": "train, out of fold", "score": 0.3141}
    with open(run.root / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write("\n" + json.dumps(score) + "\n")
    shown = texts(plot_score_ladder(open_run(run.root, truth=run.root / "truth.csv")))
    assert "0.314" in shown and "one flat depth" in shown


def test_baselines_join_the_ladder(run, texts):
    """Guards against a baseline that was given and is not shown, or that hides a stage of the run."""
    shown = texts(plot_score_ladder(run, baselines={"somebody's notebook": 0.387, "anchor": 0.1234}))
    assert "0.387" in shown and "somebody's notebook" in shown and "0.123" not in shown


def test_without_truth_there_is_no_score(run):
    """Guards against a real competition run, where nobody knows the depths of the test planets."""
    object.__setattr__(blind := open_run(run.root), "oof", None)
    assert "known depth" in plot_score_ladder(blind).empty_because


def test_the_breakdown_shows_each_bands_mean_score(run, texts):
    """Guards against bars that stand beside another band's name."""
    shown = texts(plot_score_breakdown(run))
    for judged in judged_sets(run):
        for band in wavelength_bands(judged.predictions.wavelength_um):
            assert f"{judged.element_scores[:, band.bins].mean():.2f}  rms" in shown and band.name in shown


def test_planets_below_the_panel_are_marked_at_its_edge(run, texts):
    """Guards against a failed planet that is cut off, or that squeezes all others into a line."""
    run.test.depth_mean[2] *= 3
    figure = plot_score_breakdown(run)
    assert "below −0.5" in texts(figure)
    triangles = [line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "v"]
    assert np.concatenate(triangles).tolist() == [-0.5]
