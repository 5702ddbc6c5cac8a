"""Do the two levels agree? The same visits through frames and stage 1, and straight to light curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.simulator.visit import VisitTruth, true_light_curve

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


def compare_levels(pairs: Sequence[tuple[LightCurve, VisitTruth]], *, seed: int) -> dict[str, float]:
    """Statistics of light curves made from frames against those of the light-curve level for the same visits.

    Returns ratios (frames / light curves) of the noise of FGS1, of AIRS per wavelength (median over
    wavelengths) and of white AIRS; the difference, ppm, of the slope that each level shows on top of the true
    drift (rms over visits); the mean difference of white depth, ppm, and of the FGS1 depth, with the standard
    error of each; and the share of light in stage 1's window against ours.
    """
    from spectramind_kit.simulator.light_curves import simulate_light_curves

    noise, slope, depth, captured = [], [], [], []
    for number, (curve, visit) in enumerate(pairs):
        row = simulate_light_curves(
            0, seed=seed, start=number, visits=[visit], n_times=max(8, round(7.5 / curve.exposure_h))
        )
        statistics = []
        for time, flux in (
            (curve.time, curve.flux.astype(float)),
            (row.time.numpy(), row.flux[0].double().numpy()),
        ):
            truth = true_light_curve(visit, time, exposure_h=curve.exposure_h)
            # White light is the sum of electrons; a wavelength's residual is relative.
            residual = [
                flux[:, 0] / truth[:, 0],
                *(flux[:, 1:] / truth[:, 1:]).T,
                flux[:, 1:].sum(1) / truth[:, 1:].sum(1),
            ]
            residual = np.array(residual).T
            level = residual.mean(0)
            residual = residual / level - 1.0
            statistics.append(
                (
                    np.diff(residual, axis=0).std(0) / np.sqrt(2.0),
                    _slope(time, residual),
                    _depth_error(truth, residual),
                    level,
                )
            )
        (n1, s1, d1, l1), (n2, s2, d2, l2) = statistics
        noise.append(n1 / n2)
        slope.append((s1[-1] - s2[-1], s1[0] - s2[0]))
        depth.append((d1[-1] - d2[-1], d1[0] - d2[0]))
        captured.append(l1 / l2)
    noise, slope, depth, captured = (np.array(values) for values in (noise, slope, depth, captured))
    root = np.sqrt(max(len(pairs), 1))
    figures = {
        "noise_ratio_fgs1": np.median(noise[:, 0]),
        "noise_ratio_airs": np.median(noise[:, 1:-1]),
        "noise_ratio_white": np.median(noise[:, -1]),
        "captured_ratio_fgs1": np.median(captured[:, 0]),
        "captured_ratio_airs": np.median(captured[:, 1:-1]),
    }
    for k, name in ((0, "white"), (1, "fgs1")):
        figures |= {
            f"slope_difference_{name}_ppm_rms": 1e6 * np.sqrt((slope[:, k] ** 2).mean()),
            f"depth_difference_{name}_ppm": 1e6 * depth[:, k].mean(),
            f"depth_difference_{name}_error_ppm": 1e6 * depth[:, k].std() / root,
        }
    return {name: float(value) for name, value in figures.items()} | {"visits": len(pairs)}


def _slope(time: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """(W,) end minus start of a straight line through the residual."""
    x = (time - time.mean()) / (time[-1] - time[0])
    return (x[:, None] * residual).sum(0) / (x**2).sum()


def _depth_error(truth: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """(W,) what a fit of the true transit shape would add to the depth: residual on (shape, constant,
    slope)."""
    white = truth[:, 1:].sum(1)
    shape = white / white.max() - 1.0
    x = np.linspace(-1.0, 1.0, len(shape))
    design = np.stack([shape, np.ones_like(x), x], axis=1)
    scale = -shape.min()
    return -np.linalg.lstsq(design, residual, rcond=None)[0][0] * scale
