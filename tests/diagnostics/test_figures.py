"""Every figure draws what the run holds, says why where it holds nothing, and shows the numbers that it
claims."""

from __future__ import annotations

import json
import re
import shutil
import warnings

import numpy as np
import pytest

from spectramind_kit.diagnostics import open_run
from spectramind_kit.diagnostics.attribution import Attributions
from spectramind_kit.diagnostics.figures.attribution import plot_attributions
from spectramind_kit.diagnostics.figures.calibration import (
    coverage,
    plot_pulls,
    plot_reliability,
    reliability_curve,
)
from spectramind_kit.diagnostics.figures.embedding import plot_embedding
from spectramind_kit.diagnostics.figures.frequency import plot_residual_fft, residual_spectra
from spectramind_kit.diagnostics.figures.learning import (
    latest_epochs,
    plot_contributions,
    plot_learning_curve,
)
from spectramind_kit.diagnostics.figures.light_curves import plot_white_light_curves
from spectramind_kit.diagnostics.figures.scores import plot_score_breakdown, plot_score_ladder, stage_scores
from spectramind_kit.diagnostics.figures.spectra import plot_spectra
from spectramind_kit.diagnostics.report import catalogue
from spectramind_kit.metric import array_score


def texts(figure) -> str:
    from matplotlib.text import Text

    return " | ".join(t.get_text() for t in figure.findobj(Text) if t.get_text())


@pytest.mark.parametrize("verb", catalogue(), ids=lambda verb: verb.entry.name)
def test_nothing_in_the_run_nothing_in_the_figure(verb, tmp_path):
    """Guards against a traceback at the end of a run that lacks a network, labels or light curves."""
    figure = verb(tmp_path)
    assert figure.empty_because and figure.path.read_bytes().startswith(b"\x89PNG")
    assert figure.path.name == verb.entry.file_name and re.match(r"\d\d_", figure.path.name)


@pytest.mark.parametrize(
    "verb",
    [
        plot_spectra,
        plot_pulls,
        plot_reliability,
        plot_score_ladder,
        plot_score_breakdown,
        plot_learning_curve,
        plot_contributions,
    ],
    ids=lambda verb: verb.entry.name,
)
def test_a_full_run_is_drawn_with_labels(verb, run):
    """Guards against an empty panel, an axis without a name, and a caption that is missing."""
    figure = verb(run)
    assert not figure.empty_because and len(figure.caption) > 80 and figure._repr_png_()
    named = figure.get_supxlabel() if hasattr(figure, "get_supxlabel") else ""
    for axis in figure.axes:
        assert axis.has_data() or not axis.get_visible()
        assert axis.get_xlabel() or named, verb.entry.name


def test_one_planet_is_enough(run):
    """Guards against statistics that need many planets: Kaggle shows one test planet while editing."""
    only = open_run(run.work_dir, truth=run.work_dir / "truth.csv")
    object.__setattr__(only, "oof", None)
    object.__setattr__(only, "test", only.test.only(np.arange(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for verb in (plot_spectra, plot_pulls, plot_reliability, plot_score_ladder, plot_score_breakdown):
            assert not verb(only).empty_because, verb.entry.name
    assert "at least 3 planets" in plot_embedding(only).empty_because


def test_without_truth_spectra_are_drawn_and_scores_are_not(run):
    """Guards against a real competition run, where nobody knows the depths of the test planets."""
    blind = open_run(run.work_dir)
    object.__setattr__(blind, "oof", None)
    assert not plot_spectra(blind).empty_because
    assert "known depth" in plot_score_ladder(blind).empty_because


def test_the_ladder_shows_the_official_scores(run):
    """Guards against a ladder that scores by another formula, another order of planets or other naive
    numbers."""
    predictions = run.judged["test, against truth"]
    shown = texts(plot_score_ladder(run))
    for stage in ("anchor", "network", "final"):
        mean, sigma = predictions.stage(stage)
        score = array_score(
            predictions.depth, mean, sigma, naive_mean=run.naive_mean, naive_sigma=run.naive_sigma
        )
        assert f"{score:.3f}" in shown
        assert stage_scores(run, predictions)[stage].mean() == pytest.approx(score, abs=1e-12)


def test_the_logged_flat_depth_joins_the_ladder(run):
    """Guards against a baseline that the run has scored but the report forgets."""
    with open(run.work_dir / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write(
            "\n"
            + json.dumps(
                {"event": "score", "name": "flat depth", "split": "train, out of fold", "score": 0.3141}
            )
            + "\n"
        )
    shown = texts(plot_score_ladder(open_run(run.work_dir, truth=run.work_dir / "truth.csv")))
    assert "0.314" in shown and "one flat depth" in shown


def test_honest_sigmas_have_unit_pulls_and_lie_on_the_line(run):
    """Inverse: the example's errors are drawn with the stated σ, so width, coverage and reliability must say
    so."""
    shown = texts(plot_pulls(run))
    widths = [float(w) for w in re.findall(r"width (\d\.\d+)", shown)]
    assert len(widths) == 4 and all(0.5 < w < 1.6 for w in widths) and min(abs(w - 1) for w in widths) < 0.03
    rng = np.random.default_rng(0)
    assert coverage(rng.normal(size=20000), np.array([0.6827]))[0] == pytest.approx(0.6827, abs=0.015)
    sigma = np.exp(rng.normal(size=(400, 1))) * np.ones(50)
    x, y, bars = reliability_curve(sigma, sigma * rng.normal(size=sigma.shape))
    np.testing.assert_allclose(y / x, 1.0, atol=0.1)
    assert (bars >= 0).all() and len(x) == 8


def test_a_restarted_training_replaces_the_older_curve():
    """Guards against two trainings in one log drawn as one curve; a resumed fold must go on instead."""

    def epochs(numbers, score):
        return [{"event": "epoch", "fold": 0, "epoch": n, "held_out_score": score} for n in numbers]

    found = latest_epochs(epochs(range(9), 0.1) + epochs(range(4), 0.2) + epochs(range(4, 6), 0.2))
    assert [e["epoch"] for e in found] == list(range(6)) and {e["held_out_score"] for e in found} == {0.2}


def test_released_groups_and_encoders_are_named(run):
    """Guards against a learning curve that hides when the warm start ended."""
    assert (
        "kept" in texts(plot_learning_curve(run))
        and "graph released" in texts(plot_learning_curve(run))
        and "temporal released" in texts(plot_learning_curve(run))
    )
    assert "FGS1 encoder" in texts(plot_contributions(run))


def test_light_curves_and_power_spectra(measured_dir, tmp_path):
    """Inverse: residuals of simulated planets are white but for what the fitted drift takes up at low
    frequency."""
    shutil.copytree(measured_dir, tmp_path / "run")
    run = open_run(tmp_path / "run")
    for verb in (plot_white_light_curves, plot_residual_fft):
        figure = verb(run)
        assert not figure.empty_because and len(figure.axes) >= 4
    frequency, power = residual_spectra(run)
    high = np.concatenate([rows[:, frequency > 2].ravel() for rows in power.values()])
    assert high.mean() == pytest.approx(1.0, abs=0.12)
    assert "rms" in texts(plot_white_light_curves(run))


def test_maps_name_their_method_and_warn_of_folds(run):
    """Guards against principal components called UMAP, and against folds mistaken for kinds of planets."""
    figure = plot_embedding(run, method="pca")
    assert "principal components" in figure.caption and "principal component 1" in texts(figure)
    object.__setattr__(run.oof, "fold", np.arange(len(run.oof)) % 3)
    assert "Each fold has a network of its own" in plot_embedding(run, method="pca").caption


def test_attributions_are_kept_for_the_report(run):
    """Guards against a report that loses what the notebook has paid for."""
    rng = np.random.default_rng(0)
    groups, outputs = (
        ("FGS1 light curve", "star and orbit"),
        ("δ FGS1", "δ 2–3 µm", "log σ FGS1", "log σ 2–3 µm"),
    )
    made = Attributions(
        planet_id=np.arange(3),
        group_names=groups,
        output_names=outputs,
        value=rng.normal(size=(3, 2, 4)),
        base=np.zeros((3, 4)),
        output=np.zeros((3, 4)),
        n_background=2,
        seconds=1.0,
    )
    assert not plot_attributions(run, attributions=made).empty_because
    figure = plot_attributions(run)
    assert not figure.empty_because and "star and orbit" in texts(figure) and "3 planets" in figure.caption


def test_a_figure_that_breaks_is_told_and_costs_nothing(run):
    """Guards against a picture that costs a finished run, and against one that fails in silence."""
    object.__setattr__(run.test, "depth_mean", run.test.depth_mean[:, :5])
    object.__setattr__(run, "oof", None)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        figure = plot_spectra(run)
    assert "could not be drawn" in figure.empty_because
    assert any("could not be drawn" in str(w.message) for w in told)
