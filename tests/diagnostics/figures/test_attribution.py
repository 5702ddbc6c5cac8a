"""The figure of the attributions: kept for the report, of these results only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.attribution import Attributions
from spectramind_kit.diagnostics.figures.attribution import plot_attributions


@pytest.fixture
def made() -> Attributions:
    return Attributions(
        planet_id=np.arange(8),
        group_names=("FGS1 light curve", "star and orbit"),
        output_names=("δ FGS1", "δ 2–3 µm", "log σ FGS1", "log σ 2–3 µm"),
        value=np.random.default_rng(0).normal(size=(8, 2, 4)),
        base=np.zeros((8, 4)),
        output=np.zeros((8, 4)),
        n_background=1,
        seconds=1.0,
    )


def test_attributions_are_kept_for_the_report(run, made, texts):
    """Guards against a report that loses what the notebook has paid for."""
    assert not plot_attributions(run, attributions=made).empty_because
    figure = plot_attributions(run)
    assert not figure.empty_because and "star and orbit" in texts(figure)
    assert "8 planets" in figure.caption and "1 background planet;" in figure.caption


def test_those_of_other_results_are_not_shown(run, made):
    """Guards against attributions of an older network; this run has no bundle to explain instead."""
    plot_attributions(run, attributions=made)
    assert "no network was trained" in plot_attributions(replace(run, fingerprint="another")).empty_because


def test_the_shares_of_all_groups_add_up(run, made):
    """Guards against a share of one planet, or one that counts δ and log σ together."""
    share = plot_attributions(run, attributions=made).axes[2]
    widths = np.array([bar.get_width() for bar in share.patches])
    assert widths[:2].sum() == pytest.approx(100) and widths[2:].sum() == pytest.approx(100)


def test_a_mean_over_few_planets_is_left_out(run, made):
    """Guards against a map of one planet that is read as what the network does."""
    few = replace(made, planet_id=made.planet_id[:7], value=made.value[:7])
    figure = plot_attributions(run, attributions=few)
    assert "only 7 planets could be explained" in figure.empty_because
