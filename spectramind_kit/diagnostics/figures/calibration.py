"""Figures 3 and 4: are the error bars honest? Pulls, coverage and reliability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectramind_kit.diagnostics.bands import SENSOR_TITLES, SENSORS
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import judged_or_nothing, numbered
from spectramind_kit.diagnostics.judged import JudgedSet, typical_pull
from spectramind_kit.run_folder.results import RunResults

_PULLS_CAPTION = """
If σ is honest, the pulls follow the unit Gaussian: wider means over-confident (the score punishes that
hardest), narrower means timid. The width is 1.48 times the median of |pull|, which a few planets that are
far off do not move. Values beyond ±5 are counted in the outermost bars. The bins of one AIRS
spectrum err together, so with few planets the AIRS histogram is lumpy. Right: share of depths inside the
central interval, against the share that should be inside; below the diagonal is over-confident.
"""
_RELIABILITY_CAPTION = """
Planets sorted by predicted σ in groups of equal size; each point is the group's rms error against its rms σ,
bars are the 95 % range of a bootstrap over planets. On the line σ means what it says; above it the
predictions are over-confident. A flat row of points would mean that σ does not know which planets are hard.
"""
_LEVELS = np.linspace(0.02, 0.98, 49)


def coverage(pull: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of pulls inside the central interval that holds the share ``level`` (L,) of a unit Gaussian."""
    from scipy.special import erfinv

    inside = np.abs(np.asarray(pull, dtype=np.float64).ravel())[:, None] <= np.sqrt(2.0) * erfinv(level)
    return inside.mean(axis=0)


@numbered(3, "pulls", title="Pulls: errors in units of the predicted σ")
def plot_pulls(run: RunResults) -> style.Figure:
    """Pulls of FGS1 and AIRS-CH0 against the unit Gaussian, and the coverage of both sensors' intervals."""
    sets, colours = judged_or_nothing(run)
    figure, axes = style.new_figure(3.1, 1, 3, width_ratios=(1, 1, 1.05))
    for axis, (sensor, bins) in zip(axes, SENSORS.items()):
        _gaussian(axis)
        for one, fill in zip(sets, ({"histtype": "stepfilled", "alpha": 0.45}, {"histtype": "step"})):
            _histogram(axis, one.pulls[:, bins].ravel(), one.name, color=colours[one.name], **fill)
        axis.set(title=SENSOR_TITLES[sensor], xlabel="(prediction − truth) / σ", xlim=(-5, 5))
        axis.set_ylim(0, 1.08 * axis.dataLim.y1)
        style.legend_below(axis, 0.28, fontsize=8)
    axes[0].set_ylabel("probability density")
    _coverage_panel(axes[2], sets)
    style.label_panels(axes)
    return style.captioned(figure, _PULLS_CAPTION)


def _gaussian(axis) -> None:
    grid = np.linspace(-5, 5, 201)
    density = np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    axis.plot(grid, density, color=style.COLOURS["truth"], lw=1.2, label="unit Gaussian")
    axis.axvline(0, color=style.COLOURS["soft"], lw=0.8)


def _histogram(axis, pull: np.ndarray, name: str, **look) -> None:
    n_bars = int(np.clip(2 * pull.size ** (1 / 3), 10, 60)) // 2 * 2 + 1  # odd: one bar at 0
    label = f"{name}\n(mean {style.number(pull.mean(), '+.2f')}, width {typical_pull(pull):.2f})"
    edges = np.linspace(-5, 5, n_bars + 1)
    axis.hist(np.clip(pull, -4.999, 4.999), bins=edges, density=True, lw=1.5, label=label, **look)


def _coverage_panel(axis, sets: Sequence[JudgedSet]) -> None:
    axis.plot([0, 1], [0, 1], color=style.COLOURS["truth"], lw=1.0)
    for one, line in zip(sets, ("-", "--")):
        for sensor, bins in SENSORS.items():
            inside, label = coverage(one.pulls[:, bins], _LEVELS), f"{sensor}, {one.name.split(',')[0]}"
            axis.plot(_LEVELS, inside, color=style.COLOURS[sensor], ls=line, label=label)
    axis.set(title="Coverage", xlabel="interval's nominal share", ylabel="share of depths inside")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_aspect("equal", adjustable="box")
    style.legend_below(axis, 0.28, fontsize=8)


@numbered(4, "reliability", title="Reliability of σ")
def plot_reliability(run: RunResults, *, groups: int = 8) -> style.Figure:
    """Rms error against predicted σ of groups of planets of equal size, for both sensors and each set."""
    sets, colours = judged_or_nothing(run)
    figure, axes = style.new_figure(3.6, 1, 2, sharey=True)
    shown = []
    for axis, (sensor, bins) in zip(axes, SENSORS.items()):
        for one, marker in zip(sets, "os"):
            sigma, error = (style.PPM * v[:, bins] for v in (one.predictions.depth_sigma, one.error))
            x, y, spread = reliability_curve(sigma, error, groups=groups)
            look = {"fmt": marker, "ms": 4.5, "capsize": 2.5, "lw": 1.2, "color": colours[one.name]}
            axis.errorbar(x, y, yerr=spread, label=one.name, **look)
            shown += [*x, *y]
        axis.set(title=SENSOR_TITLES[sensor], xlabel="predicted σ (ppm)", xscale="log", yscale="log")
    low, high = 0.7 * float(np.min(shown)), 1.4 * float(np.max(shown))
    for axis in axes:
        axis.plot([low, high], [low, high], color=style.COLOURS["truth"], lw=1.0, label="σ = error", zorder=1)
        axis.set(xlim=(low, high), ylim=(low, high))
        style.plain_log_ticks(axis)
    axes[0].set_ylabel("rms error (ppm)")
    axes[0].legend(loc="upper left")
    style.label_panels(axes)
    return style.captioned(figure, _RELIABILITY_CAPTION)


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
