"""Figure 9: power spectra of what the anchor's model leaves behind."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.bands import SENSORS
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.diagnostics.power_spectrum import (
    false_alarm_level,
    fourier_frequencies,
    periodogram,
    white_noise_interval,
)
from spectramind_kit.diagnostics.visits import (
    NO_LIGHT_CURVES,
    band_light_curves,
    load_visits,
    planets_with_light_curves,
    some_of,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Mean over {visits} visits. A frequency of 0.2 per hour repeats every 5 h, 1 every hour, 10 every 6 min; the
lowest is one cycle in a visit, the highest two points. Power is in units of what photon and read noise
alone would give, so 1 is the expected level; white noise would cross the dashed line anywhere in a spectrum
once in a hundred such figures. Excess at low frequency is drift or transit shape that the model missed; a
deficit there is what the fitted drift has taken up; a narrow peak is a periodic disturbance; a raised level
everywhere means that the errors are too small.
"""
_PANELS = {"FGS1": "FGS1", "AIRS": "white AIRS-CH0"}


def residual_spectra(run: RunResults, *, max_planets: int = 40) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Power of the residuals of FGS1, of each AIRS band and of white AIRS-CH0, on one frequency grid.

    Returns
    -------
    frequency (F,) 1/h, and for each band (V, F) powers of V visits in units of the expected white noise.
    """
    planets = some_of(planets_with_light_curves(run), max_planets)
    if not planets:
        raise NothingToPlot(NO_LIGHT_CURVES)
    frequency, power = None, {}
    for planet in planets:
        try:
            views = load_visits(run, planet)
        except DataError:
            continue  # a planet that fell back has no fit to look at
        for view in views:
            frequency = fourier_frequencies(view.curve.time) if frequency is None else frequency
            for name, curve in band_light_curves(view).items():
                spectrum = periodogram(curve.time, curve.residual, curve.error, frequency=frequency)
                power.setdefault(name, []).append(spectrum.power)
    if frequency is None:
        raise NothingToPlot("no visit could be read together with its fit")
    return frequency, {name: np.array(rows) for name, rows in power.items()}


@numbered(9, "residual_fft", title="Frequencies left in the residuals")
def plot_residual_fft(run: RunResults, *, max_planets: int = 40) -> style.Figure:
    """Mean power of the white residuals against that of white noise, a map by band, noise by visit."""
    frequency, power = residual_spectra(run, max_planets=max_planets)
    bands = {name: rows for name, rows in power.items() if name != "AIRS"}
    figure, (top, bottom) = style.new_figure(6.0, 2, 2, height_ratios=(1, 1.05))
    _spectrum_panels(top, frequency, power)
    of_fgs1, of_airs = (dict(zip(*reversed(axis.get_legend_handles_labels()))) for axis in top)
    entries = of_fgs1 | of_airs
    figure.legend([*entries.values()], [*entries], loc="outside upper center", ncols=3)
    _band_map(bottom[0], frequency, bands)
    _noise_panel(bottom[1], bands)
    for axis in (*top, bottom[0]):
        axis.set_xlabel("frequency (1/h; 1: once an hour)")
    style.label_panels((*top, *bottom))
    return style.captioned(figure, _CAPTION, visits=len(power["AIRS"]))


def _spectrum_panels(axes, frequency: np.ndarray, power: dict[str, np.ndarray]) -> None:
    visits = len(power["AIRS"])
    level = false_alarm_level(frequency.size, probability=0.01, n_averaged=visits)
    low, high = white_noise_interval(visits)
    mean = {sensor: np.nanmean(power[sensor], axis=0) for sensor in SENSORS}
    shown = np.concatenate([*mean.values()])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    limits = 0.8 * min(low, float(shown.min())), 1.4 * max(level, float(shown.max()))
    for axis, sensor in zip(axes, SENSORS):
        soft = {"color": style.COLOURS["soft"], "alpha": 0.45, "lw": 0}
        axis.fill_between(frequency, low, high, label="95 % of white noise", **soft)
        axis.axhline(1.0, color=style.COLOURS["truth"], lw=1.0, label="white-noise level")
        axis.axhline(level, color=style.COLOURS["warn"], lw=1.1, ls="--", label="1 % false alarm")
        axis.plot(frequency, mean[sensor], color=style.COLOURS[sensor], lw=1.4, label=f"residuals, {sensor}")
        axis.set(title=_PANELS[sensor], xscale="log", yscale="log")
        axis.set(ylim=limits, xlim=(frequency[0] * 0.9, frequency[-1]))
        style.plain_log_ticks(axis)
    axes[0].set_ylabel("power / white noise")


def _band_map(axis, frequency: np.ndarray, power: dict[str, np.ndarray]) -> None:
    edges = np.geomspace(frequency[0] * 0.999, frequency[-1] * 1.001, 13)
    edges = _merge_empty(frequency, edges)
    which = np.digitize(frequency, edges) - 1
    cells = range(edges.size - 1)
    table = np.array([[np.nanmean(rows[:, which == cell]) for cell in cells] for rows in power.values()])
    table = np.log2(np.maximum(table, 1e-3))
    limit = float(np.clip(np.nanmax(np.abs(table)), 0.5, 2.0))  # a factor of 4: beyond, a cell is simply dark
    rows = np.arange(len(power) + 1) - 0.5
    mesh = axis.pcolormesh(edges, rows, table, cmap="PuOr_r", vmin=-limit, vmax=limit)
    style.name_rows(axis, [*power], fontsize=8)
    axis.set(xscale="log", title="by band")
    axis.grid(False)
    style.plain_log_ticks(axis, only="x")
    bar = axis.figure.colorbar(mesh, ax=axis, pad=0.02, aspect=30, extend="both")
    ticks = [tick for tick in (-2, -1, 0, 1, 2) if abs(tick) <= limit]
    bar.set_ticks(ticks, labels=[f"{2.0**tick:g}" for tick in ticks])
    bar.set_label("power / white noise", fontsize=9)


def _merge_empty(frequency: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Drop edges so that every cell of the map holds at least one frequency."""
    kept = [edges[0]]
    for edge in edges[1:]:
        if ((frequency >= kept[-1]) & (frequency < edge)).any():
            kept.append(edge)
    kept[-1] = edges[-1]
    return np.array(kept)


def _noise_panel(axis, power: dict[str, np.ndarray]) -> None:
    """Noise over expectation, visit by visit: √ of the mean power."""
    for row, (name, rows) in enumerate(power.items()):
        ratio = np.sqrt(np.nanmean(rows, axis=1))
        jitter = np.linspace(-0.22, 0.22, ratio.size) if ratio.size > 1 else np.zeros(1)
        colour = style.COLOURS["FGS1" if name == "FGS1" else "AIRS"]
        axis.plot(ratio, row + jitter, ".", ms=3.5, alpha=0.6, color=colour)
        axis.plot([np.median(ratio)] * 2, [row - 0.35, row + 0.35], color=style.COLOURS["truth"], lw=1.5)
    axis.axvline(1.0, color=style.COLOURS["truth"], lw=0.9)
    style.name_rows(axis, [*power], fontsize=8)
    axis.set(title="noise by visit", xlabel="residual rms / expected")
