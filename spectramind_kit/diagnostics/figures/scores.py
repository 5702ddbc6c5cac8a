"""Figures 5 and 6: what each stage adds to the score, and where the score is won and lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit import metric
from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    NothingToPlot,
    captioned,
    label_panels,
    new_figure,
    numbered,
    set_colours,
)
from spectramind_kit.run_folder.predictions import STAGES, Predictions
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NO_LABELS = "no planet has both a prediction and a known depth (labels or truth)"
_STAGE_NAMES = {
    "flat depth": "one flat depth",
    "anchor": "anchor (physics)",
    "network": "network",
    "final": "submitted",
}


def stage_scores(run: RunResults, predictions: Predictions) -> dict[str, np.ndarray]:
    """Score of each planet (N,), not clipped, after each stage that the run holds."""
    scores = {}
    for name in STAGES:
        stage = predictions.stage(name)
        if stage is not None and np.isfinite(stage[0]).all() and np.isfinite(stage[1]).all():
            scores[name] = metric.planet_scores(
                predictions.depth, *stage, naive_mean=run.naive_mean, naive_sigma=run.naive_sigma
            )
    return scores


def _logged(run: RunResults, name: str) -> dict[str, float]:
    """The newest logged score of the flat-depth baseline on the set of this name."""
    return {
        event["name"]: float(event["score"])
        for event in run.of_kind("score")
        if event.get("split") == name
        and event.get("name") == "flat depth"
        and isinstance(event.get("score"), (int, float))
    }


def bootstrap_interval(scores: np.ndarray, *, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """95 % interval of the mean over planets."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.size < 2:
        return float(scores.mean()), float(scores.mean())
    picks = np.random.default_rng(seed).integers(scores.size, size=(draws, scores.size))
    return tuple(float(q) for q in np.quantile(scores[picks].mean(axis=1), (0.025, 0.975)))


@numbered(5, "score_ladder", title="Score after each stage")
def plot_score_ladder(run: RunResults, *, baselines: Mapping[str, float] | None = None) -> Figure:
    """Official score of the naive prediction and of each stage, for each set with known depths.

    Scores that the run logged and that cannot be had from its predictions (the flat depth of the train
    planets) are taken from the log; ``baselines`` adds rungs by name.
    """
    if not run.judged:
        raise NothingToPlot(_NO_LABELS)
    baselines = {name: value for name, value in (baselines or {}).items() if name not in STAGES}
    rungs = [("naive", "naive (train mean, std)", COLOURS["soft"])]
    rungs += [(name, name, COLOURS["data"]) for name in baselines]
    rungs += [
        (name, _STAGE_NAMES[name], COLOURS.get(name, COLOURS["train"]))
        for name in STAGES
        if any(name in stage_scores(run, p) or name in _logged(run, s) for s, p in run.judged.items())
    ]
    figure = new_figure(7.2, 1.5 + 0.42 * len(rungs))
    axes = figure.subplots(1, len(run.judged), sharey=True, sharex=True, squeeze=False)[0]
    for axis, (name, predictions) in zip(axes, run.judged.items()):
        scores = stage_scores(run, predictions) | {"naive": np.zeros(len(predictions))}
        only_logged = _logged(run, name) | baselines
        for row, (key, _, colour) in enumerate(rungs):
            planets = scores.get(key)
            value = only_logged.get(key)
            if planets is not None:
                value = float(planets.mean())
                low, high = bootstrap_interval(planets)
            if value is None:
                continue
            shown = float(np.clip(value, 0.0, 1.0))
            axis.barh(row, shown, color=colour, height=0.62)
            if planets is not None and key != "naive":
                ends = np.clip([low, high], 0.0, 1.0)
                axis.plot(ends, [row, row], color=COLOURS["truth"], lw=1.2, solid_capstyle="butt")
                shown = max(shown, float(ends[1]))
            text = f"{value:.3f}" if value >= 0 else f"0 (unclipped {value:.2f})".replace("-", "−")
            axis.text(shown + 0.015, row, text, va="center", fontsize=9)
        count = len(predictions)
        axis.set(
            title=f"{name}\n({count} planet{'s' if count != 1 else ''})", xlabel="official score", xlim=(0, 1)
        )
        axis.grid(False, axis="y")
    axes[0].set_yticks(range(len(rungs)), [label for _, label, _ in rungs])
    axes[0].invert_yaxis()
    return captioned(
        figure,
        (
            "The official score (0: no better than the mean and spread of the train labels; 1: errors of 1 "
            "ppm in FGS1 and "
            "10 ppm in AIRS). Thin lines: 95 % range of a bootstrap over planets. Each stage is scored on "
            "the same planets, "
            "so a stage that does not help is seen here. Anchor and network are shown before the final σ "
            "scale; for the "
            "submitted train spectra that scale (a few numbers) was fitted on all of them, so the "
            "cross-fitted scores of "
            "02_train are a little lower."
        ),
    )


@numbered(6, "score_breakdown", title="Score by planet and by band")
def plot_score_breakdown(run: RunResults) -> Figure:
    """Score of every planet against its depth, and the mean score and rms error of every wavelength band."""
    if not run.judged:
        raise NothingToPlot(_NO_LABELS)
    figure = new_figure(7.2, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    for number, (name, predictions) in enumerate(run.judged.items()):
        colour = set_colours(list(run.judged))[name]
        score = stage_scores(run, predictions)["final"]
        depth = 100.0 * predictions.depth.mean(axis=1)
        floor = -0.5
        left.plot(
            depth[score >= floor],
            score[score >= floor],
            "os"[number],
            ms=4,
            color=colour,
            alpha=0.75,
            label=name,
        )
        left.plot(
            depth[score < floor],
            np.full((score < floor).sum(), floor),
            "v",
            ms=6,
            color=COLOURS["warn"],
            label="below −0.5" if (score < floor).any() else None,
        )
        bands = wavelength_bands(predictions.wavelength_um)
        elements = metric.element_scores(
            predictions.depth,
            predictions.depth_mean,
            predictions.depth_sigma,
            naive_mean=run.naive_mean,
            naive_sigma=run.naive_sigma,
        )
        offset = (number - (len(run.judged) - 1) / 2) * 0.38
        place = np.arange(len(bands)) + offset
        value = np.array([elements[:, band.bins].mean() for band in bands])
        right.barh(place, np.clip(value, 0, None), height=0.36, color=colour)
        for row, band, v in zip(place, bands, value):
            error = 1e6 * np.sqrt(np.mean((predictions.depth_mean - predictions.depth)[:, band.bins] ** 2))
            right.text(max(v, 0) + 0.02, row, f"{v:.2f}  rms {error:.0f} ppm", va="center", fontsize=8)
    left.axhline(0, color=COLOURS["truth"], lw=0.9)
    left.set(title="by planet", xlabel="mean transit depth (%)", ylabel="score of the planet", xscale="log")
    ticks = [t for t in (0.2, 0.5, 1, 2, 5, 10) if left.get_xlim()[0] <= t <= left.get_xlim()[1]]
    left.set_xticks(ticks, [f"{t:g}" for t in ticks])
    left.set_xticks([], minor=True)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8.5)
    right.set_yticks(range(len(bands)), [band.name for band in bands])
    right.invert_yaxis()
    right.set(title="by band", xlabel="mean score", xlim=(0, 1.25))
    right.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    right.grid(False, axis="y")
    label_panels((left, right))
    return captioned(
        figure,
        (
            "Left: one mark per planet; triangles at the lower edge fell below the panel, such planets pull "
            "down the whole "
            "mean. Right: mean score of the bins of each band, with the rms error. FGS1 is one bin and "
            "carries 17 % of the "
            "weight."
        ),
    )
