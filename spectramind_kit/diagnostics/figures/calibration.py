"""Figures 3 and 4: are the error bars honest? Pulls, coverage and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    PPM,
    NothingToPlot,
    captioned,
    label_panels,
    new_figure,
    numbered,
    plain_log_ticks,
    set_colours,
)
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NO_LABELS = "no planet has both a prediction and a known depth (labels or truth)"
_LEVELS = np.linspace(0.02, 0.98, 49)


def pulls(predictions: Predictions) -> np.ndarray:
    """(depth_mean − depth) / depth_sigma, (N, 283)."""
    return (predictions.depth_mean - predictions.depth) / predictions.depth_sigma


def coverage(pull: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of pulls inside the central interval that should hold the share ``level`` (L,) of a unit
    Gaussian."""
    from scipy.special import erfinv

    inside = np.abs(np.asarray(pull, dtype=np.float64).ravel())[:, None] <= np.sqrt(2.0) * erfinv(level)
    return inside.mean(axis=0)


@numbered(3, "pulls", title="Pulls: errors in units of the predicted σ")
def plot_pulls(run: RunResults) -> Figure:
    """Histograms of the pulls of FGS1 and AIRS-CH0 against the unit Gaussian, and coverage per group of
    bins."""
    if not run.judged:
        raise NothingToPlot(_NO_LABELS)
    figure = new_figure(7.2, 3.1)
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.05))
    grid, colours = np.linspace(-5, 5, 201), set_colours(list(run.judged))
    for axis, (group, bins) in zip(axes, (("FGS1", slice(0, 1)), ("AIRS-CH0", slice(1, None)))):
        axis.plot(
            grid,
            np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi),
            color=COLOURS["truth"],
            lw=1.2,
            label="unit Gaussian",
        )
        axis.axvline(0, color=COLOURS["soft"], lw=0.8)
        for number, (name, predictions) in enumerate(run.judged.items()):
            values = pulls(predictions)[:, bins].ravel()
            # odd: one bar at 0
            edges = np.linspace(-5, 5, int(np.clip(2 * values.size ** (1 / 3), 10, 60)) // 2 * 2 + 2)
            axis.hist(
                np.clip(values, -4.999, 4.999),
                bins=edges,
                density=True,
                histtype="stepfilled" if number == 0 else "step",
                color=colours[name],
                alpha=0.45 if number == 0 else 1.0,
                lw=1.5,
                label=f"{name}\n(mean {values.mean():+.2f}, width {values.std():.2f})",
            )
        axis.set(title=group, xlabel="(prediction − truth) / σ", xlim=(-5, 5))
        axis.set_ylim(0, 1.08 * axis.dataLim.y1)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), fontsize=8)
    axes[0].set_ylabel("probability density")
    _coverage_panel(axes[2], run)
    label_panels(axes)
    return captioned(
        figure,
        (
            "If σ is honest, the pulls follow the unit Gaussian: wider means over-confident (the score "
            "punishes that "
            "hardest), narrower means timid. Values beyond ±5 are counted in the outermost bars. The bins of "
            "one AIRS "
            "spectrum err together, so with few planets the AIRS histogram is lumpy. Right: share of depths "
            "inside the "
            "central interval, against the share that should be inside; below the diagonal is over-confident."
        ),
    )


def _coverage_panel(axis, run: RunResults) -> None:
    axis.plot([0, 1], [0, 1], color=COLOURS["truth"], lw=1.0)
    for (name, predictions), style in zip(run.judged.items(), ("-", "--")):
        pull = pulls(predictions)
        for group, bins in (("FGS1", slice(0, 1)), ("AIRS", slice(1, None))):
            axis.plot(
                _LEVELS,
                coverage(pull[:, bins], _LEVELS),
                color=COLOURS[group],
                ls=style,
                label=f"{group}, {name.split(',')[0]}",
            )
    axis.set(
        title="Coverage",
        xlabel="interval's nominal share",
        ylabel="share of depths inside",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axis.set_aspect("equal", adjustable="box")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), fontsize=8, ncols=1)


@numbered(4, "reliability", title="Reliability of σ")
def plot_reliability(run: RunResults, *, groups: int = 8) -> Figure:
    """Root-mean-square error against predicted σ, in groups of equal size, for FGS1 and AIRS-CH0 of each
    set."""
    if not run.judged:
        raise NothingToPlot(_NO_LABELS)
    figure = new_figure(7.2, 3.6)
    axes = figure.subplots(1, 2, sharey=True)
    limits = []
    for axis, (group, bins) in zip(axes, (("FGS1", slice(0, 1)), ("AIRS-CH0", slice(1, None)))):
        for number, (name, predictions) in enumerate(run.judged.items()):
            sigma = predictions.depth_sigma[:, bins] * PPM
            error = (predictions.depth_mean - predictions.depth)[:, bins] * PPM
            x, y, spread = reliability_curve(sigma, error, groups=groups)
            axis.errorbar(
                x,
                y,
                yerr=spread,
                fmt="os"[number],
                ms=4.5,
                capsize=2.5,
                lw=1.2,
                color=set_colours(list(run.judged))[name],
                label=name,
            )
            limits += [*x, *y]
        axis.set(title=group, xlabel="predicted σ (ppm)", xscale="log", yscale="log")
    low, high = 0.7 * float(np.min(limits)), 1.4 * float(np.max(limits))
    for axis in axes:
        axis.plot([low, high], [low, high], color=COLOURS["truth"], lw=1.0, label="σ = error", zorder=1)
        axis.set(xlim=(low, high), ylim=(low, high))
        plain_log_ticks(axis)
    axes[0].set_ylabel("rms error (ppm)")
    axes[0].legend(loc="upper left")
    label_panels(axes)
    return captioned(
        figure,
        (
            "Planets sorted by predicted σ in groups of equal size; each point is the group's rms error "
            "against its rms σ, "
            "bars are the 95 % range of a bootstrap over planets. On the line σ means what it says; above it "
            "the predictions "
            "are over-confident. A flat row of points would mean that σ does not know which planets are hard."
        ),
    )


def reliability_curve(
    sigma: np.ndarray, error: np.ndarray, *, groups: int = 8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rms σ, rms error and (2, G) bootstrap bars of groups of planets of about equal size.

    ``sigma``, ``error`` are (N, W); a planet is never split, since its bins err together.
    """
    rng = np.random.default_rng(seed)
    variance, square = (sigma**2).mean(axis=1), (error**2).mean(axis=1)
    parts = np.array_split(np.argsort(variance), min(groups, max(1, len(variance) // 3)))
    x = np.array([np.sqrt(variance[part].mean()) for part in parts])
    y = np.array([np.sqrt(square[part].mean()) for part in parts])
    bars = np.zeros((2, len(parts)))
    for index, part in enumerate(parts):
        draws = np.sqrt(square[rng.choice(part, size=(400, part.size))].mean(axis=1))
        low, high = np.quantile(draws, (0.025, 0.975))
        bars[:, index] = max(y[index] - low, 0.0), max(high - y[index], 0.0)
    return x, np.maximum(y, 1e-9), bars
