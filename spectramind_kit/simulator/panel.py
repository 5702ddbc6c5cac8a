"""One figure of the simulator: ``python -m spectramind_kit.simulator.panel OUT.png``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from spectramind_kit.optional_packages import require
from spectramind_kit.simulator.calibration_maps import maps_of_visit
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.exposures import Exposures, fgs1_centroids, simulate_exposures
from spectramind_kit.simulator.light_curves import light_curves_of
from spectramind_kit.simulator.noise_model import ROWS
from spectramind_kit.simulator.star_flux import true_light_curve
from spectramind_kit.simulator.visit import VisitTruth, draw_visits
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths, bin_wavelengths

_INK, _BLUE, _RED, _GREY = "#222222", "#2166ac", "#b2182b", "#8a8a8a"
_STYLE = {"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False}


def plot_panel(path: str | Path, *, seed: int = 2025, index: int = 4) -> Path:
    """Write the panel (PNG) of one simulated planet among others of its seed. Needs matplotlib
    (DataError without)."""
    require("matplotlib", what="plot_panel")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    visit = draw_visits(seed, "train", index)[0]
    maps = maps_of_visit(seed, "train", index, 0)
    airs = simulate_exposures(visit, maps[0], AIRS, pairs=slice(0, 40), seed=seed)
    fgs1 = simulate_exposures(visit, maps[1], FGS1, pairs=slice(0, 400), seed=seed)
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(3, 2, figsize=(10, 8.5), layout="constrained", width_ratios=[1.7, 1])
        _frames(axes[0], airs, fgs1)
        _profiles(axes[1, 0], airs)
        _pointing(axes[1, 1], fgs1)
        _curves(axes[2, 0], visit, seed)
        _spectra(axes[2, 1], seed)
        figure.savefig(path, dpi=110)
        plt.close(figure)
    return Path(path)


def _frames(axes, airs: Exposures, fgs1: Exposures) -> None:
    for axis, frames, sensor in ((axes[0], airs.frames, AIRS), (axes[1], fgs1.frames, FGS1)):
        raw = frames[1].reshape(sensor.shape)
        image = axis.imshow(
            raw, aspect="auto", origin="lower", cmap="magma", norm="log", interpolation="nearest"
        )
        axis.figure.colorbar(image, ax=axis, label="ADU", pad=0.01)
    title = "a  AIRS-CH0, raw frame at the end of a ramp"
    axes[0].set(title=title, xlabel="column (4.08 → 1.63 µm)", ylabel="row")
    axes[1].set(title="b  FGS1, raw frame", xlabel="column", ylabel="row", aspect="equal")


def _profiles(axis, airs: Exposures) -> None:
    mean = np.where(np.isnan(airs.electrons[0]), np.nan, airs.electrons.mean(0))
    for column, colour in ((60, _RED), (180, _GREY), (310, _BLUE)):
        label = f"{airs_column_wavelengths()[column]:.2f} µm"
        axis.semilogy(np.maximum(mean[:, column], 1.0), "o-", ms=3, lw=1, color=colour, label=label)
    axis.axvspan(ROWS.start, ROWS.stop - 1, color="#eeeeee", zorder=0)
    title = "c  AIRS cross-dispersion profiles (grey: rows that are summed)"
    axis.set(title=title, xlabel="row", ylabel="e⁻ per 4.5 s")
    axis.legend(frameon=False)


def _pointing(axis, fgs1: Exposures) -> None:
    _, x, y = fgs1_centroids(np.nan_to_num(fgs1.electrons))
    axis.plot(x - x.mean(), y - y.mean(), lw=0.4, color=_GREY)
    axis.plot(x - x.mean(), y - y.mean(), ".", ms=2, color=_INK)
    title = "d  FGS1 centroid over 160 s"
    axis.set(title=title, xlabel="Δ column, px", ylabel="Δ row, px", aspect="equal")


def _curves(axis, visit: VisitTruth, seed: int) -> None:
    curve = light_curves_of([visit], seed=seed).light_curve(0)
    flux = curve.flux.astype(float)
    truth = true_light_curve(visit, curve.time, exposure_h=curve.exposure_h)
    for series, model, colour, name, shift in (
        (flux[:, 0], truth[:, 0], _BLUE, "FGS1", 0.0),
        (flux[:, 1:].sum(1), truth[:, 1:].sum(1), _INK, "AIRS white", -0.004),
        (flux[:, 200], truth[:, 200], _RED, f"{curve.wavelength_um[200]:.2f} µm", -0.010),
    ):
        level = model.max()
        relative = series / series.mean() * model.mean() / level
        axis.plot(curve.time, relative + shift, ".", ms=2.5, color=colour, label=name)
        axis.plot(curve.time, model / level + shift, lw=0.8, color=colour)
    title = "e  light curves (shifted): noise, drift and transit; lines: truth"
    axis.set(title=title, xlabel="hours", ylabel="relative flux")
    axis.legend(frameon=False, ncols=3, loc="lower left")


def _spectra(axis, seed: int) -> None:
    wavelength = bin_wavelengths()
    for k in range(0, 28, 4):
        label = draw_visits(seed, "train", k)[0].label
        difference = (label - label[1:].mean()) * 1e6
        (line,) = axis.plot(wavelength[1:], difference[1:], lw=1)
        axis.plot(1.75, difference[0], "o", ms=4, color=line.get_color())
    axis.axvline(1.85, color=_GREY, lw=0.6, ls=":")
    axis.set(title="f  spectra about their AIRS mean (left: FGS1)", xlabel="µm", ylabel="ppm")
    axis.set_xticks([1.75, 2, 2.5, 3, 3.5], ["0.7", "2", "2.5", "3", "3.5"])


if __name__ == "__main__":
    print(plot_panel(sys.argv[1] if len(sys.argv) > 1 else "simulator.png"))
