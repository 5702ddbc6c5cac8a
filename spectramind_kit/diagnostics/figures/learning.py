"""Figures 7 and 8: how training went, and what each encoder is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    SERIES,
    NothingToPlot,
    captioned,
    label_panels,
    new_figure,
    numbered,
)
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NO_NETWORK = "metrics.jsonl holds no epochs: no network was trained in this run"


def loss_terms(epoch: Mapping) -> dict[str, float]:
    """The finite loss terms of one epoch event, by name; empty for epoch 0, which only scores the untouched
    model."""
    return {
        name: float(value) for name, value in (epoch.get("loss_terms") or {}).items() if _is_number(value)
    }


def latest_epochs(events: Sequence[Mapping]) -> list[dict]:
    """Epoch events of the newest training: a log is only ever appended to, and each training of a fold starts
    with the epoch of its lowest number; a resumed fold goes on where it stopped."""
    kept: dict[int, dict[int, dict]] = defaultdict(dict)
    for event in events:
        if event.get("event") == "epoch":
            fold, epoch = event.get("fold", 0), int(event.get("epoch", 0))
            if kept[fold] and epoch <= min(kept[fold]):
                kept[fold].clear()
            kept[fold][epoch] = dict(event)
    return [rows[epoch] for _, rows in sorted(kept.items()) for epoch in sorted(rows)]


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value) -> float:
    return float(value) if _is_number(value) else float("nan")


@numbered(7, "learning_curve", title="Learning curve")
def plot_learning_curve(run: RunResults) -> Figure:
    """Loss terms (mean over folds) and held-out official score of each fold, by epoch, with releases
    marked."""
    epochs = latest_epochs(run.events)
    if not epochs:
        raise NothingToPlot(_NO_NETWORK)
    figure = new_figure(7.2, 3.8)
    left, right = figure.subplots(1, 2)
    _loss_panel(left, epochs)
    _score_panel(right, epochs)
    right.set(title="held-out score", xlabel="epoch", ylabel="official score")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=8.5)
    for epoch, names in _releases(epochs).items():
        for axis in (left, right):
            axis.axvline(epoch, color=COLOURS["data"], lw=0.9, ls=":")
        right.text(
            epoch,
            0.02,
            f" {names} released",
            rotation=90,
            va="bottom",
            ha="right",
            fontsize=7.5,
            color=COLOURS["data"],
            transform=right.get_xaxis_transform(),
        )
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
    label_panels((left, right))
    return captioned(
        figure,
        (
            "Left: the weighted sum (total) and each term by itself, before its weight; mean over the folds. "
            "Right: the "
            "official score on the planets that each fold did not see; the network is asked only to improve "
            "on the anchor "
            "(dashed). Stars: the weights that are kept. Dotted lines: frozen parts that are released."
        ),
    )


def _score_panel(axis, epochs: list[dict]) -> None:
    """Held-out score of each fold, the epoch that is kept, and the fold's own anchor (folds hold different
    planets)."""
    kept = {event.get("fold", 0): event for event in kept_epochs(epochs)}
    for index, fold in enumerate(sorted(kept)):
        rows = [
            event
            for event in epochs
            if event.get("fold", 0) == fold and _is_number(event.get("held_out_score"))
        ]
        if not rows:
            continue
        colour = SERIES[index % len(SERIES)]
        axis.plot(
            [e["epoch"] for e in rows],
            [e["held_out_score"] for e in rows],
            color=colour,
            marker=".",
            ms=4,
            label=f"fold {fold}",
        )
        axis.plot(
            kept[fold]["epoch"],
            kept[fold]["held_out_score"],
            "*",
            ms=10,
            color=colour,
            mec="white",
            mew=0.7,
            zorder=3,
        )
        if _is_number(kept[fold].get("anchor_score")):
            axis.axhline(kept[fold]["anchor_score"], color=colour, ls="--", lw=1.0, alpha=0.7)
    if kept:
        axis.plot([], [], "*", ms=9, color=COLOURS["data"], label="kept")
        axis.plot([], [], "--", lw=1.0, color=COLOURS["data"], label="its anchor")


def _loss_panel(axis, epochs: list[dict]) -> None:
    curves: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for event in epochs:
        for name, value in loss_terms(event).items():
            curves[name][int(event.get("epoch", 0))].append(value)
    order = sorted(curves, key=lambda name: (name != "total", name))
    colour = iter(SERIES[1:] * 3)
    positive = True
    for name in order:
        x = sorted(curves[name])
        y = [float(np.mean(curves[name][epoch])) for epoch in x]
        positive &= min(y) > 0
        axis.plot(
            x,
            y,
            color=COLOURS["truth"] if name == "total" else next(colour),
            marker=".",
            ms=4,
            lw=1.8 if name == "total" else 1.3,
            label=name.replace("_", " "),
        )
    if not order:
        axis.text(0.5, 0.5, "no loss terms were logged", transform=axis.transAxes, ha="center")
    elif not positive:
        # GLL is a log-likelihood and may be negative, while the priors are tiny: show both sides of zero.
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.axhline(0, color=COLOURS["soft"], lw=0.8)
    else:
        axis.set_yscale("log")
    axis.set(title="loss terms", xlabel="epoch", ylabel="loss")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8.5)


def _releases(epochs: list[dict]) -> dict[int, str]:
    """Epoch → groups that were frozen in the epoch before and are not any more (first fold that says so)."""
    fold = epochs[0].get("fold", 0)
    found: dict[int, str] = {}
    previous: set[str] | None = None
    for event in sorted((e for e in epochs if e.get("fold", 0) == fold), key=lambda e: e.get("epoch", 0)):
        groups = set(event.get("frozen") or ())
        if previous and previous - groups:
            found[int(event.get("epoch", 0))] = ", ".join(sorted(previous - groups))
        previous = groups
    return found


@numbered(8, "contributions", title="What each encoder contributes")
def plot_contributions(run: RunResults) -> Figure:
    """Drop of the held-out score when an encoder's embedding is permuted across planets, and its gradient
    share."""
    drops: dict[str, list[float]] = defaultdict(list)
    epochs = latest_epochs(run.events)
    for event in kept_epochs(epochs):
        for name, value in (event.get("contribution_score_drop") or {}).items():
            if _is_number(value):
                drops[name].append(float(value))
    shares: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for event in epochs:
        for name, value in (event.get("gradient_share") or {}).items():
            shares[name][int(event.get("epoch", 0))].append(_number(value))
    if not drops and not shares:
        raise NothingToPlot("metrics.jsonl holds no contributions: no network was trained in this run")
    figure = new_figure(7.2, 3.2)
    left, right = figure.subplots(1, 2)
    for row, name in enumerate(sorted(drops)):
        values = np.array(drops[name])
        left.barh(row, values.mean(), color=_encoder_colour(name), height=0.55)
        left.plot(values, np.full(values.size, row), "o", ms=4, mfc="white", mec=COLOURS["truth"], mew=0.9)
    left.set_yticks(range(len(drops)), [_encoder_name(name) for name in sorted(drops)])
    left.set_ylim(len(drops) - 0.4, -0.6)
    left.axvline(0, color=COLOURS["truth"], lw=0.9)
    left.set(title="when its embedding is shuffled", xlabel="drop of the held-out score")
    left.grid(False, axis="y")
    left.xaxis.get_major_locator().set_params(nbins=4)
    for name in sorted(shares):
        x = sorted(shares[name])
        right.plot(
            x,
            [100 * np.nanmean(shares[name][epoch]) for epoch in x],
            marker=".",
            ms=4,
            color=_encoder_colour(name),
            label=_encoder_name(name),
        )
    right.set(
        title="share of the gradient", xlabel="epoch", ylabel="share of the gradient norm (%)", ylim=(0, 100)
    )
    right.xaxis.get_major_locator().set_params(integer=True)
    if shares:
        right.legend(loc="best")
    label_panels((left, right))
    return captioned(
        figure,
        (
            "Left: how much the held-out score falls when an encoder's embedding is given to another planet "
            "(bar: mean, "
            "circles: folds). Nothing lost means that the encoder tells the network nothing that it uses. "
            "Right: each "
            "encoder's share of the gradient norm during training; zero while it is frozen."
        ),
    )


def kept_epochs(epochs: list[dict]) -> list[dict]:
    """The epoch of each fold whose weights are kept: the last one. Taking the best would select on the
    held-out score."""
    return list({event.get("fold", 0): event for event in epochs}.values())


def _encoder_name(name: str) -> str:
    return {
        "fgs1": "FGS1 encoder",
        "fgs1_encoder": "FGS1 encoder",
        "airs": "AIRS encoder",
        "airs_encoder": "AIRS encoder",
    }.get(name, name.replace("_", " "))


def _encoder_colour(name: str) -> str:
    known = {
        "fgs1": COLOURS["FGS1"],
        "airs": COLOURS["AIRS"],
        "fusion": COLOURS["network"],
        "decoder": COLOURS["anchor"],
    }
    return known.get(name.removesuffix("_encoder"), COLOURS["data"])
