"""Figure 0: what stage 1 made, before any model: white light curves, and all wavelengths as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures.style import COLOURS, NothingToPlot, captioned, new_figure, numbered
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectramind_kit.detector import LightCurve


@numbered(0, "light_curves", title="Light curves of stage 1")
def plot_light_curve_gallery(
    run: RunResults, *, light_curves: Mapping[int, Sequence[LightCurve]], count: int = 4
) -> Figure:
    """FGS1, white AIRS-CH0 and the (time, wavelength) picture of the first visit of ``count`` planets."""
    planets = sorted(planet for planet, visits in light_curves.items() if visits)
    if not planets:
        raise NothingToPlot("no visit gave a light curve: see the failures in run.json")
    planets = [planets[k] for k in np.unique(np.linspace(0, len(planets) - 1, count).astype(int))]
    figure = new_figure(7.2, 5.0)
    axes = figure.subplots(3, len(planets), sharex="col", squeeze=False, height_ratios=(1, 1, 1.3))
    image = None
    for column, planet in enumerate(planets):
        curve = light_curves[planet][0]
        for row, (name, flux) in enumerate((("FGS1", curve.fgs1), ("AIRS", curve.white_airs))):
            axes[row, column].plot(curve.time, flux / _median(flux), ".", ms=2.2, color=COLOURS[name])
        relative = curve.airs / _median(curve.airs)
        image = axes[2, column].pcolormesh(
            curve.time,
            curve.wavelength_um[1:],
            1e2 * (_smoothed(relative).T - 1.0),
            cmap="viridis",
            vmin=-3.0,
            vmax=1.0,
            rasterized=True,
            shading="nearest",
        )
        axes[2, column].grid(False)
        axes[0, column].set_title(f"planet {planet}", fontsize=8.5)
        axes[2, column].set_xlabel("time (h)")
    for row, name in enumerate(("FGS1\nrelative flux", "AIRS-CH0\nrelative flux", "wavelength (µm)")):
        axes[row, 0].set_ylabel(name)
    figure.colorbar(image, ax=axes[2, :], label="flux - median (%)")
    figure.align_ylabels(axes[:, 0])
    return captioned(
        figure,
        (
            "Above: the sum over all of FGS1 and of AIRS-CH0, relative to its median; time runs from the "
            "start of the visit. "
            "Below: every wavelength of AIRS-CH0, averaged over eight neighbours. A transit is a dip at the "
            "same time in all "
            "of them; a jump or a stripe is something that the calibration has left."
        ),
    )


def _median(flux: np.ndarray) -> np.ndarray:
    """Over time, of what is not missing; NaN where everything is."""
    there = np.isfinite(flux).any(axis=0)
    return np.where(there, np.nanmedian(np.where(there, flux, 1.0), axis=0), np.nan)


def _smoothed(relative: np.ndarray, width: int = 8) -> np.ndarray:
    kernel = np.ones(width) / width
    return np.apply_along_axis(
        lambda row: (
            np.convolve(np.nan_to_num(row, nan=1.0), kernel, mode="same")
            / np.convolve(np.ones_like(row), kernel, mode="same")
        ),
        1,
        relative,
    )
