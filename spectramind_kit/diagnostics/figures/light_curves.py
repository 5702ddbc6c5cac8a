"""Figure 1: white light curves with the anchor's model, and what the model leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    PPM,
    NothingToPlot,
    captioned,
    new_figure,
    numbered,
)
from spectramind_kit.diagnostics.visits import WhiteLightCurve, load_visits, planets_with_light_curves
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@numbered(1, "white_light_curves", title="White light curves and the anchor's model")
def plot_white_light_curves(
    run: RunResults, *, planets: Sequence[int] | None = None, count: int = 2
) -> Figure:
    """FGS1 and white AIRS-CH0 light curves with model and residuals, a column per planet's first visit.

    ``planets`` are planet ids; by default the deepest and the shallowest of the run, up to ``count``.
    """
    chosen = list(planets) if planets is not None else _deep_and_shallow(run, count)
    if not chosen:
        raise NothingToPlot("no planet has both a light curve in the store and an anchor's fit")
    views = [load_visits(run, planet)[0] for planet in chosen]
    figure = new_figure(7.2, 5.6)
    axes = figure.subplots(4, len(views), sharex="col", squeeze=False, height_ratios=(3, 1.2, 3, 1.2))
    for column, view in enumerate(views):
        for row, (name, bins) in enumerate((("FGS1", slice(0, 1)), ("AIRS", slice(1, None)))):
            _panel(axes[2 * row, column], axes[2 * row + 1, column], view.white(bins), name)
        axes[0, column].set_title(f"planet {view.planet_id}, visit {view.visit}")
        axes[-1, column].set_xlabel("time from start of visit (h)")
    for row, name in enumerate(
        ("FGS1\nrelative flux", "residual\n(ppm)", "AIRS-CH0\nrelative flux", "residual\n(ppm)")
    ):
        axes[row, 0].set_ylabel(name)
    figure.align_ylabels(axes[:, 0])
    figure.legend(*axes[2, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return captioned(
        figure,
        (
            "Points: the measured light curve divided by the fitted star and drift. Line: the anchor's "
            "transit. Residuals: "
            "what is left, in parts per million of the star's flux; rms is their scatter, expected is the "
            "scatter that the "
            "photon and read noise alone would give. A bump at ingress or egress, or an rms well above the "
            "expected one, "
            "means that the model misses something."
        ),
    )


def _panel(curve_axis, residual_axis, curve: WhiteLightCurve, name: str) -> None:
    good = np.isfinite(curve.flux) & np.isfinite(curve.error)
    curve_axis.plot(curve.time[good], curve.flux[good], ".", color=COLOURS["data"], ms=2.8, label="measured")
    curve_axis.plot(curve.time, curve.model, color=COLOURS[name], lw=1.6, label="anchor's model")
    residual = curve.residual[good] * PPM
    residual_axis.axhline(0.0, color=COLOURS[name], lw=1.2)
    residual_axis.plot(curve.time[good], residual, ".", color=COLOURS["data"], ms=2.4)
    if not residual.size:
        residual_axis.text(0.5, 0.5, "missing", ha="center", va="center", transform=residual_axis.transAxes)
        return
    limit = max(1.15 * float(np.quantile(np.abs(residual), 0.995)), 1e-3)
    residual_axis.set_ylim(-1.45 * limit, 1.45 * limit)
    expected = float(np.sqrt(np.mean(curve.error[good] ** 2))) * PPM
    residual_axis.text(
        0.99,
        0.97,
        f"rms {residual.std():.0f} ppm, expected {expected:.0f}",
        ha="right",
        va="top",
        transform=residual_axis.transAxes,
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8},
    )


def _deep_and_shallow(run: RunResults, count: int) -> list[int]:
    """Planets in the order deepest, shallowest, median …: the two ends of what the anchor has to fit."""
    available = planets_with_light_curves(run)
    depth: dict[int, float] = {}
    for predictions in (run.test, run.oof):
        if predictions is not None:
            depth |= dict(zip(predictions.planet_id.tolist(), predictions.depth_mean.mean(axis=1).tolist()))
    ranked = sorted(available, key=lambda planet: -depth.get(planet, 0.0))
    order = [0, len(ranked) - 1, len(ranked) // 2]
    chosen = []
    for index in order[:count] if ranked else []:
        if ranked[index] not in chosen:
            chosen.append(ranked[index])
    return chosen
