"""Figure 0: what stage 1 made, before any model: white light curves, and all wavelengths as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.robust import median_of_known
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.transit.white_transit import find_white_transit, white_curve

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve

_CAPTION = """
Above: the sum over all of FGS1 and of AIRS-CH0, relative to its level outside the transit (its median where
no transit is found); time runs from the start of the visit. Below: the change of every wavelength of
AIRS-CH0 from that level, averaged over eight neighbours. A transit is a dip at the same time in all of
them; a jump or a stripe is something that the calibration has left.
"""
_ROWS = ("FGS1\nrelative flux", "AIRS-CH0\nrelative flux", "wavelength (µm)")
_NEIGHBOURS = 8
_LEAST_OUTSIDE = 3  # times: a median of fewer is noise


@numbered(0, "light_curves", title="Light curves of stage 1")
def plot_light_curve_gallery(
    run: RunResults, *, light_curves: Mapping[int, Sequence[LightCurve]], count: int = 4
) -> style.Figure:
    """FGS1, white AIRS-CH0 and the (time, wavelength) picture of the first visit of ``count`` planets."""
    planets = sorted(planet for planet, visits in light_curves.items() if visits)
    if not planets:
        raise NothingToPlot("no visit gave a light curve: see the failures in run.json")
    planets = [planets[k] for k in np.unique(np.linspace(0, len(planets) - 1, count).astype(int))]
    figure, axes = style.new_figure(
        5.0, 3, len(planets), sharex="col", squeeze=False, height_ratios=(1, 1, 1.3)
    )
    for (fgs1, airs, picture), planet in zip(axes.T, planets):
        curve = light_curves[planet][0]
        outside = out_of_transit(curve)
        for axis, flux in ((fgs1, curve.fgs1), (airs, curve.white_airs)):
            level = median_of_known(flux[outside])
            axis.plot(curve.time, flux / level, ".", ms=2.2, color=style.COLOURS["data"])
        image = _picture(picture, curve, outside)
        fgs1.set_title(f"planet {planet}", fontsize=8.5)
        picture.set_xlabel("time (h)")
    for axis, name in zip(axes[:, 0], _ROWS):
        axis.set_ylabel(name)
    figure.colorbar(image, ax=axes[2, :], label="change (%)")
    figure.align_ylabels(axes[:, 0])
    return style.captioned(figure, _CAPTION)


def out_of_transit(curve: LightCurve) -> np.ndarray:
    """Times (T,) outside the trapezoid that describes the white light curve best; all where there is none.

    Where a transit fills the visit, the times at which the least of it is seen.
    """
    white = find_white_transit(curve.time, white_curve(curve))
    if white is None:
        return np.ones(len(curve.time), bool)
    shape = white.shape(curve.time)
    return shape >= np.sort(shape)[-_LEAST_OUTSIDE]


def _picture(axis, curve: LightCurve, outside: np.ndarray):
    """All of AIRS-CH0 in per cent off each wavelength's level; returns what a colour bar needs."""
    change = 1e2 * (_smoothed(curve.airs / median_of_known(curve.airs[outside], axis=0)).T - 1.0)
    look = {"cmap": "viridis", "vmin": -3.0, "vmax": 1.0, "rasterized": True, "shading": "nearest"}
    axis.grid(False)
    return axis.pcolormesh(curve.time, curve.wavelength_um[1:], change, **look)


def _smoothed(relative: np.ndarray) -> np.ndarray:
    """Running mean over neighbouring wavelengths, missing ones taken as 1; (T, W)."""
    kernel = np.ones(_NEIGHBOURS) / _NEIGHBOURS
    share = np.convolve(np.ones(relative.shape[1]), kernel, mode="same")
    return np.array(
        [np.convolve(row, kernel, mode="same") / share for row in np.nan_to_num(relative, nan=1.0)]
    )
