"""Predicted spectra: the right planets, with their scores where depths are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.diagnostics.figures.spectra import _BY_SCORE, _spread, plot_spectra
from spectramind_kit.diagnostics.figures.style import number
from spectramind_kit.diagnostics.judged import judged_sets
from spectramind_kit.run_folder import open_run


def titles(figure) -> list[str]:
    return [axis.get_title() or axis.get_title(loc="left") for axis in figure.axes if axis.get_visible()]


def test_best_and_worst_are_those_of_the_score(run):
    """Guards against an order by depth, or by a score turned round."""
    judged, shown = judged_sets(run)[0], titles(plot_spectra(run))
    best, worst = (judged.predictions.planet_id[k] for k in (judged.scores.argmax(), judged.scores.argmin()))
    assert shown[0].startswith(f"best: {best}, score {number(judged.scores.max(), '.3f')}")
    assert (
        shown[-1].startswith(f"worst: {worst}, score {number(judged.scores.min(), '.3f')}")
        and len(shown) == 6
    )


def test_without_truth_spectra_are_drawn_without_scores(run):
    """Guards against a real competition run, where nobody knows the depths of the test planets."""
    figure = plot_spectra(replace(open_run(run.root), oof=None))
    assert not figure.empty_because and "no labels to compare with" in figure.caption
    assert "square" not in figure.caption and "true curve" not in figure.caption
    assert titles(figure)[0].startswith("deepest") and not any("score" in title for title in titles(figure))


def test_planets_that_are_asked_for(run):
    """Guards against another planet than was asked for, and a blank figure for an unknown one."""
    wanted = int(run.test.planet_id[3])
    assert [str(wanted) in title for title in titles(plot_spectra(run, planets=[wanted, 5]))] == [True]
    assert "none of the planets" in plot_spectra(run, planets=[5]).empty_because


def test_few_planets_are_each_shown_once():
    """Guards against a planet that is best, median and worst at once."""
    for n in (1, 2, 5, 6, 7, 8, 30):
        rows, names = zip(*_spread(np.random.default_rng(n).normal(size=n), _BY_SCORE))
        assert len(set(rows)) == len(rows) == min(n, 6)
        assert names[0] == "best" and (n == 1 or names[-1] == "worst")


def test_an_anchor_that_was_submitted_is_drawn_once(run, texts):
    """Guards against two lines on top of each other, and a legend without FGS1's marks."""
    apart = plot_spectra(run)
    assert "anchor" in texts(apart) and "Dashed: the anchor" in apart.caption
    marks = {h.get_label(): h.get_marker() for h in apart.legends[0].get_lines()}
    assert marks == {"prediction ± 1σ": "o", "anchor": "D", "truth": "s"}
    same = replace(run, test=run.test.with_stage("anchor"))
    once = plot_spectra(same)
    assert "anchor" not in texts(once) and "one line is drawn" in once.caption
    assert "diamond the anchor, square the truth" in apart.caption and "diamond" not in once.caption
    assert len(once.axes[0].lines) < len(apart.axes[0].lines)
