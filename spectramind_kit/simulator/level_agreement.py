"""Do the two levels agree? The same visits through frames and stage 1, and straight to light curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.simulator.constants import VISIT_H
from spectramind_kit.simulator.light_curves import light_curves_of
from spectramind_kit.simulator.star_flux import true_light_curve
from spectramind_kit.simulator.visit import VisitTruth

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_FGS1, _AIRS, _WHITE = 0, slice(1, -1), -1  # places of the statistics


def compare_levels(pairs: Sequence[tuple[LightCurve, VisitTruth]], *, seed: int) -> dict[str, float]:
    """Statistics of light curves made from frames against those of the light-curve level for the same visits.

    Returns ratios (frames / light curves) of the noise of FGS1, of AIRS per wavelength (median over
    wavelengths) and of white AIRS; the difference, ppm, of the slope that each level shows on top of the true
    drift (rms over visits); how much deeper the frames' white depth is on average, ppm, and FGS1's, with the
    standard error of each; and the share of light in stage 1's window against ours.
    """
    found = []
    for number, (curve, visit) in enumerate(pairs):
        n_times = max(8, round(VISIT_H / curve.exposure_h))
        made = light_curves_of([visit], seed=seed, start=number, n_times=n_times).light_curve(0)
        found.append([_statistics(level, visit, curve.exposure_h) for level in (curve, made)])
    (noise, slope, depth, level), (noise_2, slope_2, depth_2, level_2) = np.array(found).transpose(1, 2, 0, 3)
    noise, captured = noise / noise_2, level / level_2
    slope, depth = 1e6 * (slope - slope_2), 1e6 * (depth - depth_2)
    figures = {
        "noise_ratio_fgs1": np.median(noise[:, _FGS1]),
        "noise_ratio_airs": np.median(noise[:, _AIRS]),
        "noise_ratio_white": np.median(noise[:, _WHITE]),
        "captured_ratio_fgs1": np.median(captured[:, _FGS1]),
        "captured_ratio_airs": np.median(captured[:, _AIRS]),
    }
    for name, k in (("white", _WHITE), ("fgs1", _FGS1)):
        figures |= {
            f"slope_difference_{name}_ppm_rms": np.sqrt((slope[:, k] ** 2).mean()),
            f"depth_difference_{name}_ppm": depth[:, k].mean(),
            f"depth_difference_{name}_error_ppm": depth[:, k].std() / np.sqrt(len(pairs)),
        }
    return {name: float(value) for name, value in figures.items()} | {"visits": len(pairs)}


def _statistics(curve: LightCurve, visit: VisitTruth, exposure_h: float) -> np.ndarray:
    """(4, 285) noise, slope, depth error and level of flux / truth: FGS1, each wavelength, white AIRS."""
    truth = true_light_curve(visit, curve.time, exposure_h=exposure_h)
    # White light is the sum of electrons; a wavelength's residual is relative.
    flux, truth = (
        np.concatenate([light, light[:, 1:].sum(1, keepdims=True)], axis=1)
        for light in (curve.flux.astype(float), truth)
    )
    residual = flux / truth
    level = residual.mean(0)
    residual = residual / level - 1.0
    noise = np.diff(residual, axis=0).std(0) / np.sqrt(2.0)
    return np.stack([noise, _slope(curve.time, residual), _depth_error(truth[:, _WHITE], residual), level])


def _slope(time: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """(W,) end minus start of a straight line through the residual."""
    x = (time - time.mean()) / (time[-1] - time[0])
    return (x[:, None] * residual).sum(0) / (x**2).sum()


def _depth_error(white: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """(W,) what a fit of the true transit would add to the depth: residual on (shape, constant, slope)."""
    shape = white / white.max() - 1.0
    x = np.linspace(-1.0, 1.0, len(shape))
    design = np.stack([shape, np.ones_like(x), x], axis=1)
    return -np.linalg.lstsq(design, residual, rcond=None)[0][0] * shape.min()
