"""Figures 5 and 6: what each stage adds to the score, and where the score is won and lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import judged_or_nothing, numbered
from spectramind_kit.diagnostics.judged import JudgedSet, bootstrap_interval, rms
from spectramind_kit.run_folder.predictions import STAGES
from spectramind_kit.run_folder.results import RunResults

_LADDER_CAPTION = """
The official score (0: no better than the mean and spread of the train labels; 1: errors of 1 ppm in FGS1
and 10 ppm in AIRS). Thin lines: 95 % range of a bootstrap over planets. Compare within a panel, not between
the two: they hold different planets, and each train planet is predicted by a fit to the other folds only
(so by fewer labels than the test planets, the flat depth too). "Both, combined" and the train planets' flat
depth are scores that training has logged, so they have no range. Anchor and network are shown before the
final σ scale; for the submitted train spectra that scale (a few numbers) was fitted on all of them, so the
cross-fitted scores of 02_train are a little lower.
"""
_BREAKDOWN_CAPTION = """
Left: one mark per planet; triangles at the lower edge fell below the panel, such planets pull down the
whole mean. Right: mean score of the bins of each band, with the rms error. FGS1 is one bin and carries 17 %
of the weight.
"""
_STAGE_LABELS = {
    "flat depth": "one flat depth",
    "anchor": "anchor (physics)",
    "both": "both, combined",
    "final": "submitted",
}
_COLOURS = {name: style.COLOURS[name] for name in ("anchor", "network", "final")} | {"both": style.SERIES[2]}
_DIRECT = "direct (network)"
_RUNGS = (*STAGES[:-1], "both", STAGES[-1])
_LOGGED = ("flat depth", "both")  # rungs that are scored by 02_train alone
_FLOOR = -0.5  # scores below it are marked at it
_DEPTH_TICKS = (0.2, 0.5, 1, 2, 5, 10)  # per cent


@numbered(5, "score_ladder", title="Score after each stage")
def plot_score_ladder(run: RunResults, *, baselines: Mapping[str, float] | None = None) -> style.Figure:
    """Official score of the naive prediction and of each stage, for each set with known depths.

    Scores that the run logged and that cannot be had from its predictions (the flat depth of the train
    planets) are taken from the log; ``baselines`` adds rungs by name.
    """
    sets, _ = judged_or_nothing(run)
    baselines = {name: value for name, value in (baselines or {}).items() if name not in STAGES}
    scores = [baselines | {"naive": 0.0} | _logged(run, one) | one.stage_scores for one in sets]
    rungs = {"naive": ("naive (train mean, std)", style.COLOURS["soft"])}
    rungs |= {name: (name, style.COLOURS["soft"]) for name in baselines}
    rungs |= {
        name: (_label(run, name), _COLOURS.get(name, style.COLOURS["soft"]))
        for name in _RUNGS
        if any(name in known for known in scores)
    }
    height, share = 1.5 + 0.42 * len(rungs), {"sharex": True, "sharey": True}
    figure, (axes,) = style.new_figure(height, 1, len(sets), squeeze=False, **share)
    for axis, one, known in zip(axes, sets, scores):
        for row, (name, (_, colour)) in enumerate(rungs.items()):
            if name in known:
                _rung(axis, row, known[name], colour)
        title = f"{one.name}\n({style.counted(len(one), 'planet')})"
        axis.set(title=title, xlabel="official score", xlim=(0, 1))
        axis.grid(False, axis="y")
    style.name_rows(axes[0], [label for label, _ in rungs.values()])
    return style.captioned(figure, _LADDER_CAPTION)


def _label(run: RunResults, stage: str) -> str:
    trained = (run.info.get("stages") or {}).get("train") or {}
    direct = stage == "network" and "direct" in (trained.get("out_of_fold_scores") or {})
    return _DIRECT if direct else _STAGE_LABELS.get(stage, stage)


def _logged(run: RunResults, judged: JudgedSet) -> dict[str, float]:
    """The newest logged scores on this set of what its predictions do not hold."""
    return {
        event["name"]: float(event["score"])
        for event in run.of_kind("score")
        if event.get("split") == judged.name
        and event.get("name") in _LOGGED
        and isinstance(event.get("score"), (int, float))
    }


def _rung(axis, row: int, scores: np.ndarray | float, colour: str) -> None:
    """A bar for the mean, and its interval where the score of each planet is known."""
    value = float(np.mean(scores))
    end = float(np.clip(value, 0.0, 1.0))
    axis.barh(row, end, color=colour, height=0.62)
    if np.ndim(scores):
        ends = np.clip(bootstrap_interval(scores), 0.0, 1.0)
        axis.plot(ends, [row, row], color=style.COLOURS["truth"], lw=1.2, solid_capstyle="butt")
        end = max(end, float(ends[1]))
    text = f"{value:.3f}" if value >= 0 else f"0 (unclipped {style.number(value, '.2f')})"
    axis.text(end + 0.015, row, text, va="center", fontsize=9)


@numbered(6, "score_breakdown", title="Score by planet and by band")
def plot_score_breakdown(run: RunResults) -> style.Figure:
    """Score of every planet against its depth, and the mean score and rms error of every wavelength band."""
    sets, colours = judged_or_nothing(run)
    figure, (left, right) = style.new_figure(3.9, 1, 2, width_ratios=(1, 1.15))
    _planets_panel(left, sets, colours)
    _bands_panel(right, sets, colours)
    style.label_panels((left, right))
    return style.captioned(figure, _BREAKDOWN_CAPTION)


def _planets_panel(axis, sets: Sequence[JudgedSet], colours: Mapping[str, str]) -> None:
    for one, marker in zip(sets, "os"):
        depth, below = 100.0 * one.predictions.depth.mean(axis=1), one.scores < _FLOOR
        look = {"ms": 4, "color": colours[one.name], "alpha": 0.75, "label": one.name}
        axis.plot(depth[~below], one.scores[~below], marker, **look)
        axis.plot(depth[below], np.full(below.sum(), _FLOOR), "v", ms=6, color=style.COLOURS["warn"])
    if any((one.scores < _FLOOR).any() for one in sets):
        axis.plot([], [], "v", ms=6, color=style.COLOURS["warn"], label="below −0.5")
    axis.axhline(0, color=style.COLOURS["truth"], lw=0.9)
    axis.set(title="by planet", xlabel="mean transit depth (%)", ylabel="score of the planet", xscale="log")
    low, high = axis.get_xlim()
    ticks = [tick for tick in _DEPTH_TICKS if low <= tick <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)
    style.legend_below(axis, 0.2)


def _bands_panel(axis, sets: Sequence[JudgedSet], colours: Mapping[str, str]) -> None:
    bands = wavelength_bands(sets[0].predictions.wavelength_um)
    for number, one in enumerate(sets):
        shift = (number - (len(sets) - 1) / 2) * 0.38
        for row, band in enumerate(bands):
            score, error = one.element_scores[:, band.bins].mean(), style.PPM * rms(one.error[:, band.bins])
            axis.barh(row + shift, max(score, 0), height=0.36, color=colours[one.name])
            text = f"{score:.2f}  rms {error:.0f} ppm"
            axis.text(max(score, 0) + 0.02, row + shift, text, va="center", fontsize=8)
    style.name_rows(axis, [band.name for band in bands])
    axis.set(title="by band", xlabel="mean score", xlim=(0, 1.25))
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
