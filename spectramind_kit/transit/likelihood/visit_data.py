"""Light curves made ready for the fit: checked, averaged in time, weighted by their noise; and in bands."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.detector.light_curve import SHORTEST_VISIT_H
from spectramind_kit.errors import DataError
from spectramind_kit.transit.likelihood.visit_noise import estimate_noise_scale, high_frequency_scatter
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_FEWEST_TIMES = 12
_BAND_SCALE_LIMITS = (0.7, 100.0)  # of a band's scatter over what its wavelengths' errors add up to


@dataclass(frozen=True)
class VisitData:
    """One visit on the fit's time grid."""

    visit: int
    time: Tensor  # (T,) h
    flux: Tensor  # (T, W) e- per exposure
    weight: Tensor  # (T, W) 1/sigma^2, zero where a point is missing
    exposure_h: float
    span: tuple[float, float]  # h, first and last bin centre of the light curve as it was given
    noise_scale: np.ndarray  # (W,) scatter / flux_err
    missing: float  # share of points without a usable value
    fgs1_red: float = 1.0  # variance of slow FGS1 noise over that of white noise, in means of eight points


def prepare_visit(light_curve: LightCurve, *, settings: AnchorSettings) -> VisitData:
    """Average to about ``time_bins`` points, mark missing values, rescale the errors.

    Raises
    ------
    DataError
        The light curve has fewer than 12 times, lasts less than half an hour, or has no usable flux at all.
    """
    time, flux, error = (
        np.asarray(v, dtype=np.float64) for v in (light_curve.time, light_curve.flux, light_curve.flux_err)
    )
    where = f"planet {light_curve.planet_id}, visit {light_curve.visit}"
    if len(time) < _FEWEST_TIMES or time[-1] - time[0] < SHORTEST_VISIT_H:
        raise DataError(
            "a light curve is too short to fit",
            where=where,
            expected=f"at least {_FEWEST_TIMES} times over {SHORTEST_VISIT_H} h",
            found=f"{len(time)} over {time[-1] - time[0]:.3g} h",
            fix="use shorter time bins, or the whole visit",
        )
    good = np.isfinite(flux) & np.isfinite(error) & (error > 0.0)
    typical = np.array([[np.median(column[ok]) if ok.any() else 0.0 for column, ok in zip(flux.T, good.T)]])
    good &= (typical > 0.0) & (np.where(good, flux, 0.0) > 0.0)  # a column without light carries nothing
    if not good.any():
        raise DataError(
            "a light curve has no usable flux",
            where=where,
            expected="finite flux and flux_err > 0",
            found="none",
            fix="look at stage 1 for this visit",
        )
    span = (float(time[0]), float(time[-1]))
    step = max(1, int(round(len(time) / settings.time_bins)))
    if step > 1:
        time, flux, error, good = _averaged(time, flux, error, good, step)
    scale = estimate_noise_scale(np.where(good, flux, np.nan), np.where(good, error, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(good, 1.0 / (error * scale) ** 2, 0.0)
    flux = np.where(good, flux, _filled(flux, good, np.maximum(typical, 1e-3)))
    return VisitData(
        visit=int(light_curve.visit),
        time=torch.as_tensor(time),
        flux=torch.as_tensor(flux),
        weight=torch.as_tensor(weight),
        exposure_h=float(light_curve.exposure_h) * step,
        span=span,
        noise_scale=scale,
        missing=float(1.0 - good.mean()),
    )


def _averaged(
    time: np.ndarray, flux: np.ndarray, error: np.ndarray, good: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means over ``step`` points, of those that are good; good where more than half of them are."""
    n = len(time) // step

    def grouped(values: np.ndarray) -> np.ndarray:
        return values[: n * step].reshape(n, step, *values.shape[1:])

    count = grouped(good).sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.sum(grouped(np.where(good, flux, 0.0)), 1) / count
        sigma = np.sqrt(np.sum(grouped(np.where(good, error, 0.0)) ** 2, 1)) / count
    return grouped(time).mean(1), mean, sigma, count > 0.5 * step


def _filled(flux: np.ndarray, good: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Stand-ins (T, W) for missing points: the column's typical flux times what the others do then."""
    seen = np.where(good, flux, 0.0)[:, 1:].sum(1)
    expected = np.where(good, typical, 0.0)[:, 1:].sum(1)
    return typical * np.where(expected > 0.0, seen / np.maximum(expected, 1e-9), 1.0)[:, None]


def into_bands(data: VisitData, wavelength_um: np.ndarray, n_bands: int) -> tuple[VisitData, np.ndarray]:
    """FGS1 and ``n_bands`` sums of neighbouring AIRS wavelengths, with the noise that those sums show.

    Returns the visit with W = 1 + n_bands and the bands' wavelengths (flux-weighted). A missing point does
    what its neighbours do (`prepare_visit`); a time at which half of a band is missing is left out of that
    band.
    """
    edges = np.linspace(1, data.flux.shape[1], n_bands + 1).round().astype(int)
    fgs1_weight = data.weight[:, 0]
    columns = [(data.flux[:, 0], 1.0 / fgs1_weight.clamp_min(1e-30), fgs1_weight <= 0.0)]
    centres = [float(wavelength_um[0])]
    for low, high in itertools.pairwise(edges):
        weight = data.weight[:, low:high]
        seen = weight > 0.0
        alive = seen.double().mean(0) > 0.5
        flux = data.flux[:, low:high] * alive
        variance = torch.where(seen, 1.0 / weight.clamp_min(1e-30), 0.0) * alive
        total = variance.sum(1).clamp_min(1e-12) if alive.any() else torch.full_like(flux[:, 0], 1e30)
        missing = (~seen & alive).sum(1) >= 0.5 * alive.sum().clamp_min(1)
        columns.append((flux.sum(1).clamp_min(1e-6), total, missing))
        share = np.maximum(flux.mean(0).numpy(), 1e-9)
        centres.append(float(np.average(wavelength_um[low:high], weights=share)))
    flux, variance, missing = (torch.stack(v, 1) for v in zip(*columns))
    error = variance.sqrt()
    scale = high_frequency_scatter(flux.numpy(), error.masked_fill(missing, math.nan).numpy())
    scale = np.clip(np.where(np.isfinite(scale), scale, 1.0), *_BAND_SCALE_LIMITS)
    weight = (1.0 / (error * torch.as_tensor(scale)) ** 2).masked_fill(missing, 0.0)
    return replace(data, flux=flux, weight=weight, noise_scale=scale), np.array(centres)
