"""Figure 2: predicted spectra against the truth: the best, the median and the worst by score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.diagnostics.judged import judged_sets
from spectramind_kit.diagnostics.sources import is_anchor
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Set shown: {name}. Shaded: the prediction's 1σ band; {against}. {anchor} The marks at the left are FGS1 (0.7
µm), in the colours of the lines: {marks}. {band}Each panel has its own scale.
"""
_ANCHOR = {
    "none": "",
    "all": "The prediction's depths are the anchor's (the transit fit alone), so one line is drawn.",
    "some": "Dashed: the anchor before the network, where the prediction differs from it.",
}
_FGS1_AT_UM = 1.72  # FGS1 (0.7 µm) is drawn beside AIRS-CH0, on its own tick: the gap between them is empty
_BY_SCORE = ("best", "best", "median", "median", "worst", "worst")
_BY_DEPTH = ("deepest", "", "", "", "", "shallowest")


@numbered(2, "spectra", title="Spectra with error bars")
def plot_spectra(run: RunResults, *, planets: Sequence[int] | None = None) -> style.Figure:
    """Predicted spectrum and 1σ band of six planets, with labels or truth where there are any.

    Without ``planets``: the two best, two around the median and the two worst by score; without labels the
    six that span the range of depths.
    """
    name, predictions, score = _set_to_show(run)
    if planets is not None:
        known = predictions.planet_id.tolist()
        shown = [(known.index(planet), "") for planet in planets if planet in known]
    elif score is not None:
        shown = _spread(score, _BY_SCORE)
    else:
        shown = _spread(predictions.depth_mean.mean(axis=1), _BY_DEPTH)
    if not shown:
        raise NothingToPlot("none of the planets that were asked for is among the predictions")
    columns = 2 if len(shown) > 1 else 1
    lines = -(-len(shown) // columns)
    figure, axes = style.new_figure(0.75 + 2.1 * lines, lines, columns, squeeze=False)
    axes = axes.ravel()
    for axis, (row, label) in zip(axes, shown):
        _panel(axis, predictions, row)
        scored = f", score {style.number(score[row], '.3f')}" if score is not None else ""
        axis.set_title(f"{label + ': ' if label else ''}{predictions.planet_id[row]}{scored}", fontsize=9.5)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    figure.supxlabel("wavelength (µm)", fontsize=10)
    figure.supylabel("transit depth (ppm)", fontsize=10)
    apart = predictions.anchor_depth is not None and not all(is_anchor(predictions, row) for row, _ in shown)
    anchor = "none" if predictions.anchor_depth is None else "some" if apart else "all"
    _legend(figure, anchor=apart, truth=predictions.depth is not None)
    against = "truth: the depths to be found" if score is not None else "there are no labels to compare with"
    marks = ["circle with error bar the prediction", *["diamond the anchor"] * apart]
    band = ""
    if predictions.depth is not None:
        marks.append("square the truth")
        band = "About two thirds of the true curve should lie inside the band. "
    words = {"against": against, "anchor": _ANCHOR[anchor], "marks": ", ".join(marks), "band": band}
    return style.captioned(figure, _CAPTION, name=name, **words)


def _legend(figure, *, anchor: bool, truth: bool) -> None:
    """Each line with the mark that it has at FGS1."""
    from matplotlib.lines import Line2D

    looks = [("final", "o", "-", "prediction ± 1σ")]
    looks += [("anchor", "D", "--", "anchor")] * anchor + [("truth", "s", "-", "truth")] * truth
    handles = [
        Line2D([], [], color=style.COLOURS[name], marker=marker, ls=line, ms=4, lw=1.4, label=label)
        for name, marker, line, label in looks
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _set_to_show(run: RunResults) -> tuple[str, Predictions, np.ndarray | None]:
    """Name and predictions of the first set with known depths and its scores; else of a set without."""
    for judged in judged_sets(run):
        return judged.name, judged.predictions, judged.scores
    for name, predictions in (("test", run.test), ("train, out of fold", run.oof)):
        if predictions is not None:
            return name, predictions, None
    raise NothingToPlot("the run holds no predictions (predictions/oof.npz, predictions/test.npz)")


def _spread(value: np.ndarray, names: Sequence[str]) -> list[tuple[int, str]]:
    """Up to six rows with their names: both ends and the middle of ``value``, highest first."""
    order = np.argsort(-value)
    n = order.size
    places = [0, 1, (n - 1) // 2, n // 2 if n % 2 == 0 else n // 2 + 1, n - 2, n - 1]
    if n <= 6:
        places, names = range(n), [names[0], *[""] * (n - 2), names[-1]][:n]
    return [(int(order[place]), name) for place, name in zip(places, names)]


def _panel(axis, predictions: Predictions, row: int) -> None:
    wavelength, blue = predictions.wavelength_um, style.COLOURS["final"]
    mean, sigma = predictions.depth_mean[row] * style.PPM, predictions.depth_sigma[row] * style.PPM
    shown = [mean - sigma, mean + sigma]
    axis.fill_between(wavelength[1:], shown[0][1:], shown[1][1:], color=blue, alpha=0.22, lw=0)
    axis.plot(wavelength[1:], mean[1:], color=blue, lw=1.4)
    axis.errorbar(_FGS1_AT_UM, mean[0], sigma[0], fmt="o", ms=4, color=blue, capsize=2.5)
    if predictions.anchor_depth is not None and not is_anchor(predictions, row):
        anchor = predictions.anchor_depth[row] * style.PPM
        axis.plot(wavelength[1:], anchor[1:], color=style.COLOURS["anchor"], lw=1.0, ls="--")
        axis.plot(_FGS1_AT_UM - 0.04, anchor[0], "D", ms=3, color=style.COLOURS["anchor"])
    if predictions.depth is not None:
        truth = predictions.depth[row] * style.PPM
        axis.plot(wavelength[1:], truth[1:], color=style.COLOURS["truth"], lw=1.0)
        axis.plot(_FGS1_AT_UM + 0.04, truth[0], "s", ms=3.5, color=style.COLOURS["truth"])
        shown.append(truth)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    pad = 0.08 * (high - low) + 1e-6
    axis.set_ylim(low - pad, high + pad)
    axis.set_xticks([_FGS1_AT_UM, 2.0, 2.5, 3.0, 3.5], ["FGS1", "2.0", "2.5", "3.0", "3.5"])
    axis.set_xlim(1.6, float(wavelength[-1]) + 0.05)
