"""Figure 8: what each encoder is worth."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.epochs import kept_epochs, latest_epochs, numbers_by_epoch
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Left: how much the held-out score falls when an encoder's embedding is given to another planet (bar: mean,
circles: folds). Nothing lost means that the encoder tells the network nothing that it uses. Right: each
encoder's share of the gradient norm during training; zero while it is frozen.
"""
# Parts of the network as the log names them: how they are called here, and their colours.
_PARTS = {
    "fgs1": ("FGS1 encoder", style.COLOURS["FGS1"]),
    "airs": ("AIRS encoder", style.COLOURS["AIRS"]),
    "fusion": ("fusion", style.SERIES[0]),
    "decoder": ("decoder", style.SERIES[1]),
}


@numbered(8, "contributions", title="What each encoder contributes")
def plot_contributions(run: RunResults) -> style.Figure:
    """Drop of the held-out score when an encoder's embedding is shuffled, and its share of the gradient."""
    epochs = latest_epochs(run.events)
    drops = numbers_by_epoch([*kept_epochs(epochs).values()], "contribution_score_drop")
    shares = numbers_by_epoch(epochs, "gradient_share")
    if not drops and not shares:
        raise NothingToPlot("metrics.jsonl holds no contributions: no network was trained in this run")
    figure, (left, right) = style.new_figure(3.2, 1, 2)
    _drop_panel(left, drops)
    _share_panel(right, shares)
    style.label_panels((left, right))
    return style.captioned(figure, _CAPTION)


def _drop_panel(axis, drops: dict[str, dict[int, list[float]]]) -> None:
    for row, (name, folds) in enumerate(drops.items()):
        values, circles = np.concatenate([*folds.values()]), {"mfc": "white", "mec": style.COLOURS["truth"]}
        axis.barh(row, values.mean(), color=_part(name)[1], height=0.55)
        axis.plot(values, np.full(values.size, row), "o", ms=4, mew=0.9, **circles)
    axis.set_yticks(range(len(drops)), [_part(name)[0] for name in drops])
    axis.set_ylim(len(drops) - 0.4, -0.6)
    axis.axvline(0, color=style.COLOURS["truth"], lw=0.9)
    axis.set(title="when its embedding is shuffled", xlabel="drop of the held-out score")
    axis.grid(False, axis="y")
    axis.xaxis.get_major_locator().set_params(nbins=4)


def _share_panel(axis, shares: dict[str, dict[int, list[float]]]) -> None:
    for name, folds in shares.items():
        label, colour = _part(name)
        mean = [100 * np.mean(values) for values in folds.values()]
        axis.plot(list(folds), mean, marker=".", ms=4, color=colour, label=label)
    axis.set(title="share of the gradient", xlabel="epoch", ylabel="share of the gradient norm (%)")
    axis.set_ylim(0, 100)
    axis.xaxis.get_major_locator().set_params(integer=True)
    if shares:
        axis.legend(loc="best")


def _part(name: str) -> tuple[str, str]:
    return _PARTS.get(name.removesuffix("_encoder"), (name.replace("_", " "), style.COLOURS["data"]))
