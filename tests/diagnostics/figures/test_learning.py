"""The learning curve: each term, each fold, and when frozen parts are released."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectramind_kit.diagnostics.figures.learning import plot_learning_curve


def epochs(*totals: float) -> tuple[dict, ...]:
    """One fold, with these losses; epoch 0 has none."""
    common = {"event": "epoch", "fold": 0, "held_out_score": 0.5}
    rest = [common | {"epoch": k + 1, "loss_terms": {"total": total}} for k, total in enumerate(totals)]
    return (common | {"epoch": 0}, *rest)


def test_kept_weights_and_released_groups_are_named(run, texts):
    """Guards against a learning curve that hides when the warm start ended."""
    figure = plot_learning_curve(run)
    shown = texts(figure)
    assert "kept" in shown and "epoch 3 graph; epoch 4 temporal" in figure.caption and "graph" not in shown
    assert "band coherence" in shown and "fold 2" in shown


@pytest.mark.parametrize(("totals", "scale"), [((3.0, 1.0), "log"), ((1.0, -1.0), "symlog")])
def test_a_loss_below_zero_is_on_the_axis(run, totals, scale):
    """Guards against a log-likelihood below 0 that vanishes from a logarithmic axis."""
    left = plot_learning_curve(replace(run, events=epochs(*totals))).axes[0]
    assert left.get_yscale() == scale and list(left.lines[0].get_ydata()) == list(totals)


def test_a_log_without_terms_says_so(run, texts):
    """Guards against an empty panel, where a training was killed in its first epoch."""
    with pytest.warns(UserWarning, match="legend"):
        assert "no loss terms were logged" in texts(plot_learning_curve(replace(run, events=epochs())))
