"""One figure of one planet's anchor: white light curves with model, residuals by wavelength, the spectrum
with its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.anchor.spectrum import Anchor
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

_PPM = 1e6


def plot_anchor(
    light_curve: LightCurve, measurement: DepthMeasurement, anchor: Anchor, *, depth: np.ndarray | None = None
) -> Figure:
    """Data, model and residuals of one visit, and the spectrum.

    Parameters
    ----------
    light_curve : the visit to show; it must be one that ``measurement`` was made from
    anchor : `apply_prior` (and `calibrate`) of ``measurement``
    depth : (W,) the true spectrum, drawn where it is known
    """
    import matplotlib.pyplot as plt

    fit = next(v for v in measurement.visits if v.visit == light_curve.visit)
    flux, model, baseline = np.asarray(light_curve.flux, dtype=np.float64), fit.model_flux, fit.baseline_flux
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    white, white_model, white_base = (
        v[:, 1:].sum(1) for v in (np.where(np.isfinite(flux), flux, model), model, baseline)
    )
    for offset, (name, data, curve, base) in enumerate(
        (("AIRS-CH0, sum", white, white_model, white_base), ("FGS1", flux[:, 0], model[:, 0], baseline[:, 0]))
    ):
        level = np.median(base)
        shift = -0.25 * offset * float(np.median(anchor.depth))
        axes[0, 0].plot(fit.time, data / level + shift, ".", ms=3, label=name)
        axes[0, 0].plot(fit.time, curve / level + shift, "k-", lw=1)
    axes[0, 0].set(
        xlabel="time, h",
        ylabel="relative flux (shifted)",
        title=f"planet {measurement.planet_id}, visit {fit.visit}",
    )
    axes[0, 0].legend()
    residual = (flux - model) / (np.asarray(light_curve.flux_err) * fit.noise_scale)
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
    wave, err = anchor.wavelength_um, anchor.depth_err
    axes[1, 0].plot(
        wave[1:], _PPM * anchor.raw_depth[1:], ".", ms=2, color="0.6", label="no prior on the spectrum"
    )
    axes[1, 0].fill_between(
        wave[1:], _PPM * (anchor.depth - err)[1:], _PPM * (anchor.depth + err)[1:], alpha=0.3
    )
    axes[1, 0].plot(wave[1:], _PPM * anchor.depth[1:], label="anchor")
    axes[1, 0].errorbar(wave[:1] + 1.1, _PPM * anchor.depth[:1], _PPM * err[:1], fmt="o", color="C0")
    if depth is not None:
        axes[1, 0].plot(wave[1:], _PPM * depth[1:], "k-", lw=1, label="truth")
        axes[1, 0].plot(wave[:1] + 1.1, _PPM * depth[:1], "kx")
    centre, spread = (
        _PPM * np.median(anchor.depth),
        _PPM * max(5 * err.mean(), 3 * np.ptp(anchor.depth), 1e-5),
    )
    axes[1, 0].set(
        xlabel="wavelength, um (FGS1 drawn at 1.8)",
        ylabel="depth, ppm",
        ylim=(centre - spread, centre + spread),
        title=", ".join(anchor.flags) or "no flag",
    )
    axes[1, 0].legend()
    sigma = np.sqrt(np.nanmean(residual**2, axis=0))
    axes[1, 1].plot(wave[1:], sigma[1:], lw=1, label="rms of the residuals, in sigma")
    axes[1, 1].plot(wave[1:], fit.u1[1:], "--", label="u1")
    axes[1, 1].plot(wave[1:], fit.u2[1:], ":", label="u2")
    axes[1, 1].set(xlabel="wavelength, um", ylim=(-0.2, 1.6))
    axes[1, 1].legend()
    return figure
