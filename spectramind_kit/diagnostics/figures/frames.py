"""One visit on its way from counts to light curves: a picture for each step, drawn from arrays in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import numbered
from spectramind_kit.robust import median_of_known
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from spectramind_kit.detector import CalibratedFrames, Instrument, LightCurve
    from spectramind_kit.detector.trace import Trace

_RAW = """
One exposure of {sensor} in the middle of the visit, in counts of the converter. (a) The first read, just
after the reset: hardly any light yet, and each pixel's own offset. (b) The last read, at the end of the
exposure. (c) The last less the first: the star's spectrum lies along the rows, short wavelengths at the
bright end; single bright or dark points are pixels that are not to be trusted.
"""
_CALIBRATED = """
(a) The rows and columns that the light curve is made of, in electrons per exposure, mean over the visit;
white: dead or saturated pixels, which are left out. (b) The sum over the good ones as time goes on, relative
to its median: the transit shows already. (c) A cut across the dispersion: the light of the rows at the edge
is foreground and the star's own wing.
"""
_TRACE = """
(a) The light of the star in each column, summed across the trace, and what the foreground would have added
to it. (b) The foreground, in electrons per pixel and exposure, against the light that the edge rows see: what
is above it there is the star's own wing, and is not subtracted. (c) The row of the trace's centre: pointing
jitter, of which each wavelength's flux is cleaned afterwards.
"""
_LIGHT_CURVE = """
Planet {planet}, visit {visit}. (a) FGS1 and the sum of AIRS-CH0, each relative to its median; bars are the
measured error of a time bin. (b) That error by wavelength, in parts per million of the star's flux: what a
single wavelength knows of the depth in one bin.
"""


@numbered(0, "raw_frame", title="Raw frames of one exposure")
def plot_raw_frame(run: RunResults, *, counts: np.ndarray, instrument: Instrument) -> style.Figure:
    """``counts`` (2N, P) of whole frames, first and last reads in turn: `read_frames` of `all_pixels`."""
    exposure = len(counts) // 4
    first, last = (
        counts[2 * exposure + read].reshape(instrument.shape).astype(np.float64) for read in (0, 1)
    )
    figure, axes = style.new_figure(5.6, 3, 1, sharex=True)
    images = {"first read": first, "last read": last, "last − first": last - first}
    for axis, (name, image) in zip(axes, images.items()):
        _image(axis, image, title=name, unit="counts")
    axes[-1].set_xlabel("column")
    style.label_panels(axes)
    return style.captioned(figure, _RAW, sensor=instrument.name)


@numbered(0, "calibrated_frame", title="Calibrated frames")
def plot_calibrated_frame(run: RunResults, *, frames: CalibratedFrames) -> style.Figure:
    """What `calibrate_visit` or `calibrate_raw` gives."""
    images, grid = frames.images, frames.selection.grid
    bad = frames.bad[: frames.selection.n_grid].reshape(grid)
    mean = np.where(bad, np.nan, images.mean(axis=0))
    figure, axes = style.new_figure(4.6, 2, 2, height_ratios=(1, 1.4))
    for axis in axes[0]:
        axis.remove()
    top = figure.add_subplot(axes[0, 0].get_gridspec()[0, :])
    first_row, first_column = int(frames.selection.row[0]), int(frames.selection.column[0])
    _image(top, mean, title="mean exposure", unit="e⁻", corner=(first_row, first_column))
    top.set_xlabel("column")
    time, across = axes[1]
    total = images[:, ~bad].sum(axis=1, dtype=np.float64)
    time.plot(frames.time_h, total / np.median(total), ".", ms=2.2, color=style.COLOURS["AIRS"])
    time.set(title="sum of the good pixels", xlabel="time from start of visit (h)", ylabel="relative flux")
    rows = first_row + np.arange(grid[0])
    across.plot(rows, np.nanmedian(mean, axis=1), "o-", ms=3, color=style.COLOURS["data"])
    across.set(title="across the dispersion", xlabel="row", ylabel="median over columns (e⁻)", yscale="log")
    style.label_panels((top, time, across))
    return style.captioned(figure, _CALIBRATED)


@numbered(0, "trace", title="Trace and foreground")
def plot_trace(
    run: RunResults, *, trace: Trace, frames: CalibratedFrames, wavelength_um: np.ndarray
) -> style.Figure:
    """What `extract_trace` made of ``frames``; ``wavelength_um`` (C,) of the columns."""
    figure, axes = style.new_figure(4.6, 2, 2, height_ratios=(1, 1))
    for axis in axes[:, 0]:
        axis.remove()
    spectrum = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    foreground, pointing = axes[:, 1]
    star = np.where(trace.per_pixel > 0, trace.flux.mean(axis=0, dtype=np.float64), np.nan)
    spectrum.plot(wavelength_um, star, color=style.COLOURS["AIRS"], label="star")
    added = trace.foreground * trace.per_pixel
    spectrum.plot(wavelength_um, added, color=style.COLOURS["warn"], label="foreground, subtracted")
    spectrum.set(title="sum across the trace", xlabel="wavelength (µm)", yscale="log")
    spectrum.set_ylabel("e⁻ per exposure")
    spectrum.legend()
    edge = trace.foreground + trace.edge_star_light
    foreground.plot(
        wavelength_um, edge, ".", ms=2, color=style.COLOURS["soft"], label="light in the edge rows"
    )
    foreground.plot(wavelength_um, trace.foreground, color=style.COLOURS["warn"], label="foreground")
    foreground.set(title="beside the trace", xlabel="wavelength (µm)", ylabel="e⁻ per pixel")
    foreground.legend()
    pointing.plot(frames.time_h, trace.centroid, ".", ms=2.2, color=style.COLOURS["data"])
    pointing.set(title="centre of the trace", xlabel="time from start of visit (h)", ylabel="row")
    style.label_panels((spectrum, foreground, pointing))
    return style.captioned(figure, _TRACE)


@numbered(0, "one_light_curve", title="Light curve of one visit")
def plot_light_curve(run: RunResults, *, light_curve: LightCurve) -> style.Figure:
    """White light curves with their errors, and the error of each wavelength."""
    curve = light_curve
    figure, (white, errors) = style.new_figure(3.2, 1, 2, width_ratios=(1.4, 1))
    error = np.sqrt(np.nansum(np.square(curve.flux_err[:, 1:], dtype=np.float64), axis=1))
    series = {"FGS1": (curve.fgs1, curve.flux_err[:, 0]), "AIRS": (curve.white_airs, error)}
    for name, (flux, err) in series.items():
        level, look = median_of_known(flux), {"fmt": ".", "ms": 2.5, "elinewidth": 0.6}
        white.errorbar(curve.time, flux / level, err / level, color=style.COLOURS[name], label=name, **look)
    white.set(title="white light curves", xlabel="time from start of visit (h)", ylabel="relative flux")
    white.legend()
    share = style.PPM * median_of_known(curve.flux_err, axis=0) / median_of_known(curve.flux, axis=0)
    errors.plot(curve.wavelength_um[1:], share[1:], color=style.COLOURS["AIRS"], label="AIRS-CH0")
    errors.axhline(share[0], color=style.COLOURS["FGS1"], label="FGS1")
    errors.set(title="error of a time bin", xlabel="wavelength (µm)", ylabel="ppm", yscale="log")
    errors.legend()
    style.label_panels((white, errors))
    return style.captioned(figure, _LIGHT_CURVE, planet=curve.planet_id, visit=curve.visit)


def _image(axis, values: np.ndarray, *, title: str, unit: str, corner: tuple[int, int] = (0, 0)) -> None:
    """An image (rows, columns) whose first pixel is ``corner`` of the detector, with a colour bar."""
    low, high = np.nanquantile(values, (0.005, 0.995))
    row, column = corner
    extent = (column - 0.5, column + values.shape[1] - 0.5, row - 0.5, row + values.shape[0] - 0.5)
    look = {"cmap": "viridis", "vmin": low, "vmax": high, "interpolation": "nearest"}
    shown = axis.imshow(values, origin="lower", aspect="auto", extent=extent, **look)
    axis.grid(False)
    axis.set(title=title, ylabel="row")
    axis.figure.colorbar(shown, ax=axis, label=unit)
