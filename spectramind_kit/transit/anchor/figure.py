"""One figure of one planet's anchor: white light curves with model, residuals, spectrum with its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.optional_packages import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.anchor.spectrum import Anchor
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
    from spectramind_kit.transit.likelihood.visit_fit import VisitFit

_PPM = 1e6
# those of the report, which this room must not know (`diagnostics.figures.style`); a test holds them equal
COLOURS = {"AIRS": "#882255", "FGS1": "#CC79A7", "anchor": "#E69F00"}


def plot_anchor(
    light_curve: LightCurve,
    measurement: DepthMeasurement,
    anchor: Anchor,
    *,
    depth: np.ndarray | None = None,
    axes: np.ndarray | None = None,
) -> Figure:
    """Data, model and residuals of one visit, and the spectrum.

    Parameters
    ----------
    light_curve : the visit to show; it must be one that ``measurement`` was made from
    anchor : `apply_prior` (and `calibrate`) of ``measurement``
    depth : (W,) the true spectrum, drawn where it is known
    axes : (2, 2) to draw in; by default those of a new figure of pyplot

    Raises
    ------
    DataError
        matplotlib is missing or broken; it comes with the extra ``diagnostics``.
    """
    if axes is None:
        require("matplotlib", what="plot_anchor")
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    fit = next(v for v in measurement.visits if v.visit == light_curve.visit)
    flux = np.asarray(light_curve.flux, dtype=np.float64)
    residual = (flux - fit.model_flux) / (np.asarray(light_curve.flux_err) * fit.noise_scale)
    figure = axes[0, 0].figure
    _white_light_curves(axes[0, 0], flux, fit, shift=0.25 * float(np.median(anchor.depth)))
    axes[0, 0].set_title(f"planet {measurement.planet_id}, visit {fit.visit}")
    image = axes[0, 1].imshow(
        residual.T,
        origin="lower",
        aspect="auto",
        cmap="RdBu_r",
        vmin=-4,
        vmax=4,
        extent=(fit.time[0], fit.time[-1], 0, flux.shape[1]),
    )
    axes[0, 1].set(xlabel="time, h", ylabel="wavelength bin (0: FGS1)", title="residuals, in sigma")
    figure.colorbar(image, ax=axes[0, 1])
    _spectrum(axes[1, 0], anchor, depth)
    rms = np.sqrt(np.nanmean(residual**2, axis=0))
    for values, style, colour, label in (
        (rms, "-", COLOURS["AIRS"], "rms of the residuals, in sigma"),
        (fit.u1, "--", "0.3", "u1"),
        (fit.u2, ":", "0.3", "u2"),
    ):
        axes[1, 1].plot(anchor.wavelength_um[1:], values[1:], style, color=colour, label=label)
    axes[1, 1].set(xlabel="wavelength, µm", ylim=(-0.2, 1.6), title="scatter, limb darkening")
    axes[1, 1].legend()
    return figure


def _white_light_curves(axes: Axes, flux: np.ndarray, fit: VisitFit, *, shift: float) -> None:
    """AIRS-CH0 and, ``shift`` below it, FGS1."""
    known = np.where(np.isfinite(flux), flux, fit.model_flux)
    airs = [v[:, 1:].sum(1) for v in (known, fit.model_flux, fit.baseline_flux)]
    fgs1 = [v[:, 0] for v in (flux, fit.model_flux, fit.baseline_flux)]
    series = (("AIRS-CH0, sum", "AIRS", airs), ("FGS1", "FGS1", fgs1))
    for below, (name, sensor, (data, model, baseline)) in enumerate(series):
        level = np.median(baseline)
        axes.plot(fit.time, data / level - below * shift, ".", ms=3, color=COLOURS[sensor], label=name)
        axes.plot(fit.time, model / level - below * shift, "k-", lw=1)
    axes.set(xlabel="time, h", ylabel="relative flux (shifted)")
    axes.legend()


def _spectrum(axes: Axes, anchor: Anchor, truth: np.ndarray | None) -> None:
    """AIRS-CH0 with its errors, FGS1 beside it."""
    wave, fgs1 = anchor.wavelength_um[1:], anchor.wavelength_um[:1] + 1.1
    depth, err, raw = (_PPM * v for v in (anchor.depth, anchor.depth_err, anchor.raw_depth))
    axes.plot(wave, raw[1:], ".", ms=2, color="0.6", label="no prior on the spectrum")
    axes.fill_between(wave, (depth - err)[1:], (depth + err)[1:], color=COLOURS["anchor"], alpha=0.3, lw=0)
    axes.plot(wave, depth[1:], color=COLOURS["anchor"], label="anchor")
    axes.errorbar(fgs1, depth[:1], err[:1], fmt="o", color=COLOURS["anchor"])
    if truth is not None:
        axes.plot(wave, _PPM * truth[1:], "k-", lw=1, label="truth")
        axes.plot(fgs1, _PPM * truth[:1], "kx")
    centre, spread = np.median(depth), max(5 * err.mean(), 3 * np.ptp(depth), 10.0)
    axes.set(
        xlabel="wavelength, µm (FGS1 drawn at 1.8)",
        ylabel="depth, ppm",
        ylim=(centre - spread, centre + spread),
        title=", ".join(anchor.flags) or "no flag",
    )
    axes.legend()
