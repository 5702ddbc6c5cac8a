"""Figure 9: power spectra of what the anchor's model leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.fft import (
    false_alarm_level,
    fourier_frequencies,
    periodogram,
    white_noise_interval,
)
from spectramind_kit.diagnostics.figures.style import (
    COLOURS,
    NothingToPlot,
    captioned,
    label_panels,
    new_figure,
    numbered,
    plain_log_ticks,
)
from spectramind_kit.diagnostics.visits import band_light_curves, load_visits, planets_with_light_curves
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def residual_spectra(run: RunResults, *, max_planets: int = 40) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Power of the residuals of FGS1, of each AIRS band and of white AIRS-CH0, on one frequency grid.

    Returns
    -------
    frequency (F,) 1/h, and for each band (V, F) powers of V visits in units of the expected white noise.
    """
    planets = planets_with_light_curves(run)
    if not planets:
        raise NothingToPlot("no planet has both a light curve in the store and an anchor's fit")
    if len(planets) > max_planets:
        planets = [planets[i] for i in np.linspace(0, len(planets) - 1, max_planets).astype(int)]
    frequency, power = None, {}
    for planet in planets:
        try:
            views = load_visits(run, planet)
        except DataError:
            continue  # a planet that fell back has no fit to look at
        for view in views:
            frequency = fourier_frequencies(view.time) if frequency is None else frequency
            for name, curve in band_light_curves(view).items():
                spectrum = periodogram(curve.time, curve.residual, curve.error, frequency=frequency)
                power.setdefault(name, []).append(spectrum.power)
    if frequency is None:
        raise NothingToPlot("no visit could be read together with its fit")
    return frequency, {name: np.array(rows) for name, rows in power.items()}


@numbered(9, "residual_fft", title="Frequencies left in the residuals")
def plot_residual_fft(run: RunResults, *, max_planets: int = 40) -> Figure:
    """Mean power spectra of the white residuals with white-noise level and false-alarm line, and a map by
    band."""
    frequency, power = residual_spectra(run, max_planets=max_planets)
    visits = len(power["AIRS"])
    figure = new_figure(7.2, 6.0)
    top, bottom = figure.subplots(2, 2, height_ratios=(1, 1.05))
    level = false_alarm_level(frequency.size, probability=0.01, n_averaged=visits)
    low, high = white_noise_interval(visits)
    shown = np.concatenate([np.nanmean(power[name], axis=0) for name in ("FGS1", "AIRS")])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    limits = 0.8 * min(low, float(shown.min())), 1.4 * max(level, float(shown.max()))
    for axis, name, title in zip(top, ("FGS1", "AIRS"), ("FGS1", "white AIRS-CH0")):
        axis.fill_between(
            frequency, low, high, color=COLOURS["soft"], alpha=0.45, lw=0, label="95 % of white noise"
        )
        axis.axhline(1.0, color=COLOURS["truth"], lw=1.0, label="white-noise level")
        axis.axhline(level, color=COLOURS["warn"], lw=1.1, ls="--", label="1 % false alarm")
        axis.plot(frequency, np.nanmean(power[name], axis=0), color=COLOURS[name], lw=1.4, label="residuals")
        axis.set(
            title=title, xscale="log", yscale="log", ylim=limits, xlim=(frequency[0] * 0.9, frequency[-1])
        )
        plain_log_ticks(axis)
    top[0].set_ylabel("power / white noise")
    handles, labels = top[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    _band_map(figure, bottom[0], frequency, power)
    _excess_panel(bottom[1], power)
    for axis in (*top, bottom[0]):
        axis.set_xlabel("frequency (1/h)")
    label_panels((*top, *bottom))
    return captioned(
        figure,
        (
            f"Mean over {visits} visits. Power is in units of what photon and read noise alone would give, "
            "so 1 is the "
            "expected level; white noise would cross the dashed line anywhere in a spectrum once in a "
            "hundred such figures. "
            "Excess at low frequency is drift or transit shape that the model missed; a deficit there is "
            "what the fitted "
            "drift has taken up; a narrow peak is a periodic disturbance; a raised level everywhere means "
            "that the errors "
            "are too small."
        ),
    )


def _band_map(figure, axis, frequency: np.ndarray, power: dict[str, np.ndarray]) -> None:
    names = [name for name in power if name != "AIRS"]
    edges = np.geomspace(frequency[0] * 0.999, frequency[-1] * 1.001, 13)
    edges = _merge_empty(frequency, edges)
    which = np.digitize(frequency, edges) - 1
    table = np.array(
        [[np.nanmean(power[name][:, which == k]) for k in range(edges.size - 1)] for name in names]
    )
    table = np.log2(np.maximum(table, 1e-3))
    limit = float(np.clip(np.nanmax(np.abs(table)), 0.5, 2.0))  # a factor of 4: beyond, a cell is simply dark
    mesh = axis.pcolormesh(
        edges, np.arange(len(names) + 1) - 0.5, table, cmap="PuOr_r", vmin=-limit, vmax=limit
    )
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set(xscale="log", title="by band")
    axis.grid(False)
    plain_log_ticks(axis, only="x")
    bar = figure.colorbar(mesh, ax=axis, pad=0.02, aspect=30, extend="both")
    ticks = [t for t in (-2, -1, -0.5, 0, 0.5, 1, 2) if abs(t) <= limit]
    bar.set_ticks(ticks, labels=[f"{2.0**t:.2g}" for t in ticks])
    bar.set_label("power / white noise", fontsize=9)


def _merge_empty(frequency: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Drop edges so that every cell of the map holds at least one frequency."""
    kept = [edges[0]]
    for edge in edges[1:]:
        if ((frequency >= kept[-1]) & (frequency < edge)).any():
            kept.append(edge)
    kept[-1] = edges[-1]
    return np.array(kept)


def _excess_panel(axis, power: dict[str, np.ndarray]) -> None:
    """Noise over expectation, visit by visit: √ of the mean power."""
    names = [name for name in power if name != "AIRS"]
    for row, name in enumerate(names):
        ratio = np.sqrt(np.nanmean(power[name], axis=1))
        jitter = np.linspace(-0.22, 0.22, ratio.size) if ratio.size > 1 else np.zeros(1)
        axis.plot(
            ratio,
            row + jitter,
            ".",
            ms=3.5,
            alpha=0.6,
            color=COLOURS["FGS1"] if name == "FGS1" else COLOURS["AIRS"],
        )
        axis.plot([np.median(ratio)] * 2, [row - 0.35, row + 0.35], color=COLOURS["truth"], lw=1.5)
    axis.axvline(1.0, color=COLOURS["truth"], lw=0.9)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set(title="noise by visit", xlabel="residual rms / expected")
    axis.grid(False, axis="y")
