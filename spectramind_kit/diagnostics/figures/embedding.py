"""Figure 10: where the network places the planets, coloured by what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.embedding import embed
from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    PPM,
    SERIES,
    NothingToPlot,
    captioned,
    label_panels,
    new_figure,
    numbered,
)
from spectramind_kit.diagnostics.network import network_embeddings
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@numbered(10, "embedding", title="Map of the fused embeddings")
def plot_embedding(run: RunResults, *, which: str = "fused", method: str = "umap", seed: int = 0) -> Figure:
    """UMAP of the embeddings of all planets, coloured by depth, amplitude of the spectrum and star
    temperature.

    ``which`` is ``fused``, ``fgs1`` or ``airs``.
    """
    features, planet, fold = _features(run, which)
    if len(features) < 3:
        raise NothingToPlot(f"a map needs at least 3 planets, the run has {len(features)}")
    spectra = {
        int(p): mean
        for one in (run.oof, run.test)
        if one is not None
        for p, mean in zip(one.planet_id, one.depth_mean)
    }
    spectrum = (
        np.array([spectra.get(int(p), np.full(2, np.nan)) for p in planet])
        if spectra
        else np.full((len(planet), 2), np.nan)
    )
    is_test = (
        np.isin(planet, run.test.planet_id) if run.test is not None else np.zeros(len(planet), dtype=bool)
    )
    embedding = embed(features, method=method, seed=seed)
    panels = [
        ("mean depth (%)", 100 * spectrum.mean(axis=1), True),
        ("AIRS spread (ppm)", PPM * spectrum[:, 1:].std(axis=1), True),
    ]
    if run.star is not None and "Ts" in run.star:
        panels.append(("star temperature (K)", run.star["Ts"].reindex(planet).to_numpy(dtype=float), False))
    if fold is not None:
        panels.append(("fold", fold, False))
    figure = new_figure(7.2, 2.9 if len(panels) <= 3 else 5.4)
    columns = len(panels) if len(panels) <= 3 else 2
    axes = figure.subplots(
        -(-len(panels) // columns), columns, sharex=True, sharey=True, squeeze=False
    ).ravel()
    for axis, (label, value, logarithmic) in zip(axes, panels):
        if label == "fold":
            _by_fold(axis, embedding.points, value)
        else:
            _by_value(figure, axis, embedding.points, value, is_test, label, logarithmic)
        axis.set_xlabel(embedding.axis_names[0], fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
    axes[0].set_ylabel(embedding.axis_names[1], fontsize=9)
    label_panels(axes[: len(panels)])
    method_text = "UMAP" if embedding.method == "umap" else "principal components"
    note = f" {embedding.note}." if embedding.note else ""
    if fold is not None:
        note += " Each fold has a network of its own, so groups by fold mean nothing."
    return captioned(
        figure,
        (
            f"Each mark is one planet ({len(features)}; circles train, triangles test): its {which} "
            "embedding, "
            f"{features.shape[1]} numbers, brought to the plane by {method_text}.{note} Neighbours look "
            "alike to the network. "
            "AIRS spread: the standard deviation of the predicted spectrum. A smooth run of colour means "
            "that it has learned "
            "that quantity; test planets apart from the train planets would warn of a shift between the two. "
            "Axes have no "
            "unit."
        ),
    )


def _features(run: RunResults, which: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Embeddings (N, D), planet ids (N,), and folds (N,) where the embeddings come from different
    networks."""
    try:
        found = network_embeddings(run)
        return found[which], found["planet_id"], None
    except DataError:
        # no bundle in the folder: what the predictions hold is of one network per fold, and the map says so
        pass
    name = {"fused": "fused", "fgs1": "fgs1_embedding", "airs": "airs_embedding"}[which]
    rows = []
    for predictions, test in ((run.oof, False), (run.test, True)):
        value = None if predictions is None else getattr(predictions, name)
        if value is not None:
            good = np.isfinite(value).all(axis=1)
            fold = np.full(len(value), -1) if test or predictions.fold is None else predictions.fold
            rows.append((value[good], predictions.planet_id[good], fold[good]))
    if not rows:
        raise NothingToPlot("the predictions hold no embeddings: no network was used in this run")
    features, planet, fold = (np.concatenate(parts) for parts in zip(*rows))
    return features, planet, fold if (fold >= 0).any() else None


def _by_value(figure, axis, points, value, is_test, label, logarithmic) -> None:
    from matplotlib.colors import LogNorm, Normalize

    finite = np.isfinite(value)
    low, high = np.quantile(value[finite], (0.02, 0.98)) if finite.any() else (0.0, 1.0)
    logarithmic = logarithmic and low > 0 and high > low
    norm = LogNorm(low, high) if logarithmic else Normalize(low, high)
    drawn = None
    for rows, marker in ((~is_test & finite, "o"), (is_test & finite, "^")):
        if rows.any():
            drawn = axis.scatter(
                *points[rows].T,
                c=value[rows],
                norm=norm,
                cmap="viridis",
                s=20,
                marker=marker,
                edgecolors="white",
                linewidths=0.4,
            )
    axis.scatter(*points[~finite].T, color=COLOURS["soft"], s=12, marker="x")
    axis.set_title(label, fontsize=9)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axis, location="bottom", pad=0.02, aspect=25)
        if logarithmic:
            ticks = np.geomspace(low, high, 3)
            bar.set_ticks(ticks, labels=[f"{t:.0f}" if t >= 10 else f"{t:.2g}" for t in ticks])
            bar.ax.minorticks_off()
        bar.ax.tick_params(labelsize=8)


def _by_fold(axis, points, fold) -> None:
    for index, number in enumerate(sorted(set(fold.tolist()))):
        rows = fold == number
        axis.scatter(
            *points[rows].T,
            s=18,
            color=COLOURS["soft"] if number < 0 else SERIES[index % len(SERIES)],
            label="test" if number < 0 else f"fold {number}",
            edgecolors="white",
            linewidths=0.4,
        )
    axis.set_title("fold", fontsize=9)
    axis.legend(loc="best", fontsize=7.5)
