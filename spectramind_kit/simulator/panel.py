"""One figure of the simulator: raw frames, trace, light curves, spectra. ``python -m
spectramind_kit.simulator.panel OUT.png``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from spectramind_kit.simulator.competition import maps_of_visit
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.exposures import simulate_exposures
from spectramind_kit.simulator.visit import VisitTruth, draw_visits, true_light_curve
from spectramind_kit.simulator.wavelengths import bin_wavelengths

_INK, _BLUE, _RED, _GREY = "#222222", "#2166ac", "#b2182b", "#8a8a8a"


def plot_panel(path: str | Path, *, seed: int = 2025, index: int = 4) -> Path:
    """Write the panel (PNG) of one simulated planet among others of its seed. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    visit = draw_visits(seed, "train", index)[0]
    maps = maps_of_visit(seed, "train", index, 0)
    airs = simulate_exposures(visit, maps[0], AIRS, pairs=slice(0, 40), seed=seed)
    fgs1 = simulate_exposures(visit, maps[1], FGS1, pairs=slice(0, 400), seed=seed)
    with plt.rc_context(
        {"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, axes = plt.subplots(
            3, 2, figsize=(10, 8.5), constrained_layout=True, gridspec_kw={"width_ratios": [1.7, 1]}
        )
        _frames(figure, axes[0], airs, fgs1)
        _traces(axes[1], airs, fgs1)
        _curves(axes[2, 0], visit, seed)
        _spectra(axes[2, 1], seed)
        figure.savefig(path, dpi=110)
        plt.close(figure)
    return Path(path)


def _frames(figure, axes, airs, fgs1) -> None:
    raw = airs.frames[1].reshape(AIRS.rows, AIRS.columns)
    image = axes[0].imshow(
        raw, aspect="auto", origin="lower", cmap="magma", norm="log", interpolation="nearest"
    )
    axes[0].set(
        title="a  AIRS-CH0, raw frame at the end of a ramp", xlabel="column (4.08 → 1.63 µm)", ylabel="row"
    )
    figure.colorbar(image, ax=axes[0], label="ADU", pad=0.01)
    raw = fgs1.frames[1].reshape(FGS1.rows, FGS1.columns)
    image = axes[1].imshow(raw, origin="lower", cmap="magma", norm="log", interpolation="nearest")
    axes[1].set(title="b  FGS1, raw frame", xlabel="column", ylabel="row")
    figure.colorbar(image, ax=axes[1], label="ADU", pad=0.01)


def _traces(axes, airs, fgs1) -> None:
    mean = np.where(np.isnan(airs.electrons[0]), np.nan, airs.electrons.mean(0))
    for column, colour in ((60, _RED), (180, _GREY), (310, _BLUE)):
        wavelength = bin_wavelengths()[1:][::-1][column - AIRS.column_cut.start]
        axes[0].semilogy(
            np.maximum(mean[:, column], 1.0), "o-", ms=3, lw=1, color=colour, label=f"{wavelength:.2f} µm"
        )
    axes[0].axvspan(8, 23, color="#eeeeee", zorder=0)
    axes[0].set(
        title="c  AIRS cross-dispersion profiles (grey: rows that are summed)",
        xlabel="row",
        ylabel="e⁻ per 4.5 s",
    )
    axes[0].legend(frameon=False)
    cube = np.nan_to_num(fgs1.electrons)[:, 8:24, 8:24]
    total, grid = cube.sum((1, 2)), np.arange(8, 24)
    x, y = (cube * grid).sum((1, 2)) / total, (cube * grid[:, None]).sum((1, 2)) / total
    axes[1].plot(x - x.mean(), y - y.mean(), lw=0.4, color=_GREY)
    axes[1].plot(x - x.mean(), y - y.mean(), ".", ms=2, color=_INK)
    axes[1].set(
        title="d  FGS1 centroid over 160 s", xlabel="Δ column, px", ylabel="Δ row, px", aspect="equal"
    )


def _curves(axis, visit: VisitTruth, seed: int) -> None:
    from spectramind_kit.simulator.light_curves import simulate_light_curves

    made = simulate_light_curves(0, seed=seed, visits=[visit])
    time, flux = made.time.numpy(), made.flux[0].double().numpy()
    truth = true_light_curve(visit, time, exposure_h=made.exposure_h)
    for series, model, colour, name, shift in (
        (flux[:, 0], truth[:, 0], _BLUE, "FGS1", 0.0),
        (flux[:, 1:].sum(1), truth[:, 1:].sum(1), _INK, "AIRS white", -0.004),
        (flux[:, 200], truth[:, 200], _RED, f"{bin_wavelengths()[200]:.2f} µm", -0.010),
    ):
        level = model.max()
        axis.plot(
            time, series / series.mean() * model.mean() / level + shift, ".", ms=2.5, color=colour, label=name
        )
        axis.plot(time, model / level + shift, lw=0.8, color=colour)
    axis.set(
        title="e  light curves (shifted): noise, drift and transit; lines: truth",
        xlabel="hours",
        ylabel="relative flux",
    )
    axis.legend(frameon=False, ncols=3, loc="lower left")


def _spectra(axis, seed: int) -> None:
    wavelength = bin_wavelengths()
    for k in range(0, 28, 4):
        label = draw_visits(seed, "train", k)[0].label
        difference = (label - label[1:].mean()) * 1e6
        (line,) = axis.plot(wavelength[1:], difference[1:], lw=1)
        axis.plot(1.75, difference[0], "o", ms=4, color=line.get_color())
    axis.axvline(1.85, color=_GREY, lw=0.6, ls=":")
    axis.set(
        title="f  spectra about their AIRS mean (left: FGS1)",
        xlabel="µm",
        ylabel="ppm",
        xticks=[1.75, 2, 2.5, 3, 3.5],
        xticklabels=["0.7", "2", "2.5", "3", "3.5"],
    )


if __name__ == "__main__":
    print(plot_panel(sys.argv[1] if len(sys.argv) > 1 else "simulator.png"))
