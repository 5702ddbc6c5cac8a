"""Figure 7: how training went."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.epochs import (
    fold_of,
    is_number,
    kept_epochs,
    latest_epochs,
    numbers_by_epoch,
    releases,
)
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Left: the weighted sum (total) and each term by itself, before its weight; mean over the folds. Right: the
official score on the planets that each fold did not see, of each epoch (thin) and of the weights kept so
far (thick), which inner planets choose; dashed: the anchor of the same planets, in the same shade. Stars:
the weights that are kept, at epoch 0 those that the training began with. {released}
"""
_RELEASED = "Dotted lines: parts of the network that were frozen are released: "


@numbered(7, "learning_curve", title="Learning curve")
def plot_learning_curve(run: RunResults) -> style.Figure:
    """Loss terms (mean over folds) and held-out score of each fold, by epoch, with releases marked."""
    epochs = latest_epochs(run.events)
    if not epochs:
        raise NothingToPlot("metrics.jsonl holds no epochs: no network was trained in this run")
    figure, (left, right) = style.new_figure(3.8, 1, 2)
    _loss_panel(left, epochs)
    _score_panel(right, epochs)
    released = releases(epochs)
    for epoch in released:
        for axis in (left, right):
            axis.axvline(epoch, color=style.COLOURS["data"], lw=0.9, ls=":")
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
    style.label_panels((left, right))
    names = "; ".join(f"epoch {epoch} {parts}" for epoch, parts in released.items())
    return style.captioned(figure, _CAPTION, released=_RELEASED + names + "." if released else "")


def _loss_panel(axis, epochs: list[dict]) -> None:
    terms = numbers_by_epoch(epochs, "loss_terms")
    terms = {name: terms[name] for name in sorted(terms, key=lambda name: (name != "total", name))}
    colours = iter(style.SERIES * 3)
    positive = True
    for name, folds in terms.items():
        mean = [float(np.mean(values)) for values in folds.values()]
        positive &= min(mean) > 0
        colour, width = (style.COLOURS["truth"], 1.8) if name == "total" else (next(colours), 1.3)
        axis.plot(list(folds), mean, color=colour, marker=".", ms=4, lw=width, label=name.replace("_", " "))
    if not terms:
        axis.text(0.5, 0.5, "no loss terms were logged", transform=axis.transAxes, ha="center")
    elif positive:
        axis.set_yscale("log")
    else:
        # GLL is a log-likelihood and may be negative, while the priors are tiny: show both sides of zero.
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.axhline(0, color=style.COLOURS["soft"], lw=0.8)
    axis.set(title="loss terms", xlabel="epoch", ylabel="loss")
    style.legend_below(axis, 0.2, columns=2)


def _score_panel(axis, epochs: list[dict]) -> None:
    """Held-out score of each fold, its kept epoch, and its own anchor: folds hold different planets."""
    kept = kept_epochs(epochs)
    networks, anchors = style.shades("network", len(kept)), style.shades("anchor", len(kept))
    for colour, of_anchor, fold in zip(networks, anchors, sorted(kept)):
        rows = [e for e in epochs if fold_of(e) == fold and is_number(e.get("held_out_score"))]
        if not rows:
            continue
        last = kept[fold]
        x, y = [e["epoch"] for e in rows], [e["held_out_score"] for e in rows]
        axis.plot(x, y, color=colour, marker=".", ms=4, label=f"fold {fold}")
        latest = [e.get("latest_score", e["held_out_score"]) for e in rows]
        axis.plot(x, latest, color=colour, lw=0.7, alpha=0.6)
        star = {"ms": 10, "color": colour, "mec": "white", "mew": 0.7, "zorder": 3}
        axis.plot(last["epoch"], last["held_out_score"], "*", **star)
        if is_number(last.get("anchor_score")):
            axis.axhline(last["anchor_score"], color=of_anchor, ls="--", lw=1.2)
    axis.plot([], [], "*", ms=9, color=style.COLOURS["data"], label="kept")
    axis.plot([], [], "--", lw=1.2, color=style.COLOURS["anchor"], label="its anchor")
    axis.set(title="held-out score", xlabel="epoch", ylabel="official score")
    style.legend_below(axis, 0.2, columns=3)
