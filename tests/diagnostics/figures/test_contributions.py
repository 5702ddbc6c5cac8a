"""What each encoder is worth, as the log tells it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.figures.contributions import plot_contributions


def event(fold: int, epoch: int, drop: float) -> dict:
    shares = {"fgs1": 0.25, "airs_encoder": 0.5, "another_part": 0.25}
    drops = {"airs": drop, "fgs1": None}
    rest = {"gradient_share": shares, "contribution_score_drop": drops}
    return {"event": "epoch", "fold": fold, "epoch": epoch, **rest}


def test_bars_are_means_over_the_folds_kept_epochs(run, texts):
    """Guards against epochs whose weights are not kept, and against what is not a number."""
    made = replace(run, events=(event(0, 1, 9.0), event(0, 2, 0.01), event(1, 1, 0.03)))
    figure = plot_contributions(made)
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0.02])
    assert sorted(np.concatenate([line.get_xdata() for line in left.lines[:1]])) == pytest.approx(
        [0.01, 0.03]
    )
    assert [set(line.get_ydata()) for line in right.lines] == [{50.0}, {25.0}, {25.0}]
    assert {"AIRS encoder", "FGS1 encoder", "another part"} <= set(texts(figure).split(" | "))


def test_encoders_have_their_names(run, texts):
    """Guards against names of modules in a figure for astronomers."""
    shown = texts(plot_contributions(run))
    assert "FGS1 encoder" in shown and "AIRS encoder" in shown and "fusion" in shown
