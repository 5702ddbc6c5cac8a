"""Figure 2: predicted spectra against the truth: the best, the median and the worst by score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit import metric
from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    PPM,
    NothingToPlot,
    captioned,
    new_figure,
    numbered,
)
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FGS1_AT_UM = 1.72  # FGS1 (0.7 µm) is drawn beside AIRS-CH0, on its own tick: the gap between them is empty


@numbered(2, "spectra", title="Spectra with error bars")
def plot_spectra(run: RunResults, *, planets: Sequence[int] | None = None) -> Figure:
    """Predicted spectrum and 1σ band of six planets, with labels or truth where there are any.

    Without ``planets``: the two best, two around the median and the two worst by score; without labels the
    six that span the range of depths.
    """
    name, predictions, score = _set_to_show(run)
    if planets is not None:
        rows = [
            int(np.flatnonzero(predictions.planet_id == planet)[0])
            for planet in planets
            if planet in predictions.planet_id
        ]
        labels = [""] * len(rows)
    else:
        rows, labels = _spread(
            score if score is not None else predictions.depth_mean.mean(axis=1), score is not None
        )
    if not rows:
        raise NothingToPlot("none of the planets that were asked for is among the predictions")
    columns = 2 if len(rows) > 1 else 1
    lines = -(-len(rows) // columns)
    figure = new_figure(7.2, 0.75 + 2.1 * lines)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis, row, label in zip(axes, rows, labels):
        _panel(axis, predictions, row)
        scored = f", score {score[row]:.3f}" if score is not None else ""
        axis.set_title(f"{label + ': ' if label else ''}{predictions.planet_id[row]}{scored}", fontsize=9.5)
    for axis in axes[len(rows) :]:
        axis.set_visible(False)
    figure.supxlabel("wavelength (µm)", fontsize=10)
    figure.supylabel("transit depth (ppm)", fontsize=10)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    against = "truth: the depths to be found" if score is not None else "there are no labels to compare with"
    return captioned(
        figure,
        (
            f"Set shown: {name}. Shaded: the prediction's 1σ band; dashed: the anchor before the network; "
            f"{against}. The "
            "point at the left is FGS1 (0.7 µm). About two thirds of the true curve should lie inside the "
            "band. Each panel "
            "has its own scale."
        ),
    )


def _set_to_show(run: RunResults) -> tuple[str, Predictions, np.ndarray | None]:
    for name, predictions in run.judged.items():
        score = metric.planet_scores(
            predictions.depth,
            predictions.depth_mean,
            predictions.depth_sigma,
            naive_mean=run.naive_mean,
            naive_sigma=run.naive_sigma,
        )
        return name, predictions, score
    for name, predictions in (("test", run.test), ("train, out of fold", run.oof)):
        if predictions is not None:
            return name, predictions, None
    raise NothingToPlot("the run holds no predictions (predictions/oof.npz, predictions/test.npz)")


def _spread(value: np.ndarray, is_score: bool) -> tuple[list[int], list[str]]:
    """Up to six rows: both ends and the middle of ``value``, highest first."""
    order = np.argsort(-value)
    n = order.size
    names = (
        ("best", "best", "median", "median", "worst", "worst")
        if is_score
        else ("deepest", "", "", "", "", "shallowest")
    )
    places = [0, 1, (n - 1) // 2, n // 2 if n % 2 == 0 else n // 2 + 1, n - 2, n - 1] if n > 6 else range(n)
    if n <= 6:
        names = tuple(names[0] if i == 0 else names[-1] if i == n - 1 else "" for i in range(n))
    return [int(order[place]) for place in places], list(names)


def _panel(axis, predictions: Predictions, row: int) -> None:
    wavelength = predictions.wavelength_um
    mean, sigma = predictions.depth_mean[row] * PPM, predictions.depth_sigma[row] * PPM
    axis.fill_between(
        wavelength[1:], (mean - sigma)[1:], (mean + sigma)[1:], color=COLOURS["final"], alpha=0.22, lw=0
    )
    axis.plot(wavelength[1:], mean[1:], color=COLOURS["final"], lw=1.4, label="prediction ± 1σ")
    axis.errorbar(_FGS1_AT_UM, mean[0], sigma[0], fmt="o", ms=4, color=COLOURS["final"], capsize=2.5)
    shown = [mean - sigma, mean + sigma]
    if predictions.anchor_depth is not None:
        anchor = predictions.anchor_depth[row] * PPM
        axis.plot(wavelength[1:], anchor[1:], color=COLOURS["anchor"], lw=1.0, ls="--", label="anchor")
        axis.plot(_FGS1_AT_UM - 0.04, anchor[0], "D", ms=3, color=COLOURS["anchor"])
    if predictions.depth is not None:
        truth = predictions.depth[row] * PPM
        axis.plot(wavelength[1:], truth[1:], color=COLOURS["truth"], lw=1.0, label="truth")
        axis.plot(_FGS1_AT_UM + 0.04, truth[0], "s", ms=3.5, color=COLOURS["truth"])
        shown.append(truth)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    pad = 0.08 * (high - low) + 1e-6
    axis.set_ylim(low - pad, high + pad)
    axis.set_xticks([_FGS1_AT_UM, 2.0, 2.5, 3.0, 3.5], ["FGS1", "2.0", "2.5", "3.0", "3.5"])
    axis.set_xlim(1.6, float(wavelength[-1]) + 0.05)
