"""Figure 1: white light curves with the anchor's model, and what the model leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectramind_kit.diagnostics.bands import SENSORS
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.diagnostics.judged import rms
from spectramind_kit.diagnostics.visits import (
    NO_LIGHT_CURVES,
    WhiteLightCurve,
    load_visits,
    planets_with_light_curves,
)
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Points: the measured light curve divided by the fitted star and drift. Line: the anchor's transit. Residuals:
what is left, in parts per million of the star's flux; rms is their scatter, expected is the scatter that the
photon and read noise alone would give. A bump at ingress or egress, or an rms well above the expected one,
means that the model misses something.
"""
_ROWS = ("FGS1\nrelative flux", "residual\n(ppm)", "AIRS-CH0\nrelative flux", "residual\n(ppm)")
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8}


@numbered(1, "white_light_curves", title="White light curves and the anchor's model")
def plot_white_light_curves(
    run: RunResults, *, planets: Sequence[int] | None = None, count: int = 2
) -> style.Figure:
    """FGS1 and white AIRS-CH0 light curves with model and residuals, a column per planet's first visit.

    ``planets`` are planet ids; by default the deepest and the shallowest of the run, up to ``count``.
    """
    chosen = list(planets) if planets is not None else _deep_and_shallow(run, count)
    if not chosen:
        raise NothingToPlot(NO_LIGHT_CURVES)
    views = [load_visits(run, planet)[0] for planet in chosen]
    figure, axes = style.new_figure(
        5.6, 4, len(views), sharex="col", squeeze=False, height_ratios=(3, 1.2, 3, 1.2)
    )
    for column, view in enumerate(views):
        for row, bins in enumerate(SENSORS.values()):
            curve = view.white(bins)
            _curve_panel(axes[2 * row, column], curve)
            _residual_panel(axes[2 * row + 1, column], curve)
        axes[0, column].set_title(f"planet {view.curve.planet_id}, visit {view.curve.visit}")
        axes[-1, column].set_xlabel("time from start of visit (h)")
    for axis, name in zip(axes[:, 0], _ROWS):
        axis.set_ylabel(name)
    figure.align_ylabels(axes[:, 0])
    figure.legend(*axes[2, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return style.captioned(figure, _CAPTION)


def _curve_panel(axis, curve: WhiteLightCurve) -> None:
    good = curve.good
    axis.plot(curve.time[good], curve.flux[good], ".", color=style.COLOURS["data"], ms=2.8, label="measured")
    axis.plot(curve.time, curve.model, color=style.COLOURS["anchor"], lw=1.6, label="anchor's model")


def _residual_panel(axis, curve: WhiteLightCurve) -> None:
    good = curve.good
    residual = curve.residual[good] * style.PPM
    axis.axhline(0.0, color=style.COLOURS["anchor"], lw=1.2)
    axis.plot(curve.time[good], residual, ".", color=style.COLOURS["data"], ms=2.4)
    inside = {"transform": axis.transAxes}
    if not residual.size:
        axis.text(0.5, 0.5, "missing", ha="center", va="center", **inside)
        return
    limit = max(1.15 * float(np.quantile(np.abs(residual), 0.995)), 1e-3)
    axis.set_ylim(-1.45 * limit, 1.45 * limit)
    text = f"rms {residual.std():.0f} ppm, expected {rms(curve.error[good]) * style.PPM:.0f}"
    axis.text(0.99, 0.97, text, ha="right", va="top", fontsize=8, bbox=_ON_WHITE, **inside)


def _deep_and_shallow(run: RunResults, count: int) -> list[int]:
    """Planets in the order deepest, shallowest, median: the two ends of what the anchor has to fit."""
    depth: dict[int, float] = {}
    for predictions in (run.test, run.oof):
        if predictions is not None:
            depth |= dict(zip(predictions.planet_id.tolist(), predictions.depth_mean.mean(axis=1).tolist()))
    ranked = sorted(planets_with_light_curves(run), key=lambda planet: -depth.get(planet, 0.0))
    order = [ranked[index] for index in (0, -1, len(ranked) // 2)[:count]] if ranked else []
    return list(dict.fromkeys(order))
