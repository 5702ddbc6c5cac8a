"""Figure 10: where the network places the planets, coloured by what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.diagnostics.embedding import embed
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.diagnostics.network import network_embeddings
from spectramind_kit.errors import DataError
from spectramind_kit.metric import N_BINS
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Each mark is one planet ({planets}; circles train, triangles test): its {which} embedding, {width} numbers,
brought to the plane by {method}.{notes} Neighbours look alike to the network. AIRS spread: the standard
deviation of the predicted spectrum. A smooth run of colour means that it has learned that quantity; test
planets apart from the train planets would warn of a shift between the two. Axes have no unit.
"""
_IN_PREDICTIONS = {"fused": "fused", "fgs1": "fgs1_embedding", "airs": "airs_embedding"}
_MARKS = {"edgecolors": "white", "linewidths": 0.4}


@dataclass(frozen=True)
class _Planets:
    """Embeddings of N planets."""

    features: np.ndarray  # (N, D)
    planet_id: np.ndarray  # (N,)
    fold: np.ndarray | None  # (N,), -1 test; only where the embeddings come from different networks


@dataclass(frozen=True)
class _Quantity:
    """What one panel shows of every planet."""

    label: str
    value: np.ndarray  # (N,)
    logarithmic: bool = False


@numbered(10, "embedding", title="Map of the fused embeddings")
def plot_embedding(
    run: RunResults, *, which: str = "fused", method: str = "umap", seed: int = 0
) -> style.Figure:
    """UMAP of all planets' embeddings, coloured by depth, amplitude of the spectrum and star temperature.

    ``which`` is ``fused``, ``fgs1`` or ``airs``.
    """
    planets = _planets(run, which)
    if len(planets.features) < 3:
        raise NothingToPlot(f"a map needs at least 3 planets, the run has {len(planets.features)}")
    is_test = np.isin(planets.planet_id, () if run.test is None else run.test.planet_id)
    embedding = embed(planets.features, method=method, seed=seed)
    quantities = _quantities(run, planets.planet_id)
    n_panels = len(quantities) + (planets.fold is not None)
    height, lines, columns = (2.9, 1, n_panels) if n_panels <= 3 else (5.4, 2, 2)
    figure, axes = style.new_figure(height, lines, columns, sharex=True, sharey=True, squeeze=False)
    axes = axes.ravel()
    for axis, quantity in zip(axes, quantities):
        _by_value(axis, embedding.points, quantity, is_test)
    if planets.fold is not None:
        _by_fold(axes[-1], embedding.points, planets.fold)
    for axis in axes:
        axis.set_xlabel(embedding.axis_names[0], fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
    axes[0].set_ylabel(embedding.axis_names[1], fontsize=9)
    style.label_panels(axes)
    notes = f" {embedding.note}." if embedding.note else ""
    if planets.fold is not None:
        notes += " Each fold has a network of its own, so groups by fold mean nothing."
    count, width = planets.features.shape
    fields = {"which": which, "method": embedding.method_name, "notes": notes}
    return style.captioned(figure, _CAPTION, planets=count, width=width, **fields)


def _planets(run: RunResults, which: str) -> _Planets:
    """The embeddings of one network; without a bundle those in the predictions, of one network per fold."""
    try:
        found = network_embeddings(run)
        return _Planets(found[which], found["planet_id"], None)
    except DataError:
        pass
    parts = []
    for predictions in (run.oof, run.test):
        value = None if predictions is None else getattr(predictions, _IN_PREDICTIONS[which])
        if value is not None:
            no_fold = predictions is run.test or predictions.fold is None
            fold = np.full(len(value), -1) if no_fold else predictions.fold
            good = np.isfinite(value).all(axis=1)
            parts.append((value[good], predictions.planet_id[good], fold[good]))
    if not parts:
        raise NothingToPlot("the predictions hold no embeddings: no network was used in this run")
    features, planet_id, fold = map(np.concatenate, zip(*parts))
    return _Planets(features, planet_id, fold if (fold >= 0).any() else None)


def _quantities(run: RunResults, planet_id: np.ndarray) -> list[_Quantity]:
    """What the planets are: from their predicted spectra, and from the star table where there is one."""
    spectra: dict[int, np.ndarray] = {}
    for predictions in (run.oof, run.test):
        if predictions is not None:
            spectra |= dict(zip(predictions.planet_id.tolist(), predictions.depth_mean))
    spectrum = np.array([spectra.get(int(planet), np.full(N_BINS, np.nan)) for planet in planet_id])
    found = [
        _Quantity("mean depth (%)", 100 * spectrum.mean(axis=1), logarithmic=True),
        _Quantity("AIRS spread (ppm)", style.PPM * spectrum[:, 1:].std(axis=1), logarithmic=True),
    ]
    if run.star is not None and "Ts" in run.star:
        temperature = run.star["Ts"].reindex(planet_id).to_numpy(dtype=float)
        found.append(_Quantity("star temperature (K)", temperature))
    return found


def _by_value(axis, points: np.ndarray, quantity: _Quantity, is_test: np.ndarray) -> None:
    from matplotlib.colors import LogNorm, Normalize

    value = quantity.value
    finite = np.isfinite(value)
    low, high = np.quantile(value[finite], (0.02, 0.98)) if finite.any() else (0.0, 1.0)
    logarithmic = quantity.logarithmic and low > 0 and high > low
    colours = {"norm": LogNorm(low, high) if logarithmic else Normalize(low, high), "cmap": "viridis"}
    drawn = None
    for rows, marker in ((~is_test & finite, "o"), (is_test & finite, "^")):
        if rows.any():
            drawn = axis.scatter(*points[rows].T, c=value[rows], s=20, marker=marker, **colours, **_MARKS)
    axis.scatter(*points[~finite].T, color=style.COLOURS["soft"], s=12, marker="x")
    axis.set_title(quantity.label, fontsize=9)
    if drawn is not None:
        bar = axis.figure.colorbar(drawn, ax=axis, location="bottom", pad=0.02, aspect=25)
        if logarithmic:
            ticks = np.geomspace(low, high, 3)
            bar.set_ticks(ticks, labels=[f"{t:.0f}" if t >= 10 else f"{t:.2g}" for t in ticks])
            bar.ax.minorticks_off()
        bar.ax.tick_params(labelsize=8)


def _by_fold(axis, points: np.ndarray, fold: np.ndarray) -> None:
    for index, number in enumerate(np.unique(fold).tolist()):
        label, colour = f"fold {number}", style.SERIES[index % len(style.SERIES)]
        if number < 0:
            label, colour = "test", style.COLOURS["soft"]
        axis.scatter(*points[fold == number].T, s=18, color=colour, label=label, **_MARKS)
    axis.set_title("fold", fontsize=9)
    axis.legend(loc="best", fontsize=7.5)
