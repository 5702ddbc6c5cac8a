"""Light curves made ready for the fit: averaged in time, noise measured, outliers weighted down."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_MAD_TO_SIGMA = 1.4826
_SHORTEST_VISIT_H, _LONGEST_VISIT_H = 0.5, 100.0  # real ones: 7.5
# exposure over spacing: gaps between exposures are possible, overlaps hardly
_LEAST_FILLED, _MOST_FILLED = 0.02, 1.5
# of measured over given errors (docs/decisions.md D22): noise-free light curves must not weigh infinitely
_SCALE_LIMITS = (0.05, 50.0)
_THIRD_DIFFERENCE_NORM = math.sqrt(20.0)  # sqrt(1 + 9 + 9 + 1)


@dataclass(frozen=True)
class VisitData:
    """One visit on the fit's time grid. ``weight`` is 1/sigma^2, zero where a point is missing."""

    visit: int
    time: Tensor  # (T,)
    flux: Tensor  # (T, W)
    weight: Tensor  # (T, W)
    exposure_h: float
    span: tuple[float, float]  # first and last bin centre of the light curve as it was given
    noise_scale: np.ndarray  # (W,) measured scatter / flux_err
    missing: float  # share of points without a usable value
    # variance of slow FGS1 noise over that of white noise, in means of eight points
    fgs1_red: float = 1.0


def high_frequency_scatter(values: np.ndarray, error: np.ndarray | None = None) -> np.ndarray:
    """Robust sigma (W,) of white noise in ``values`` (T, W), blind to anything smooth in time; in units of
    ``error`` (T, W) if given.

    The median absolute third difference, y0 - 3 y1 + 3 y2 - y3, over its own error (sqrt(20) where all are
    alike): a transit's contacts touch a few of them and the median does not see those. The values are never
    divided by their errors first: errors that differ from point to point, or that follow the values' own
    noise, would then pass for noise or hide it. NaN where fewer than eight differences exist.
    """
    if len(values) < 11:
        return np.full(values.shape[1], np.nan)
    third = np.abs(values[3:] - 3.0 * values[2:-1] + 3.0 * values[1:-2] - values[:-3])
    if error is None:
        third = third / _THIRD_DIFFERENCE_NORM
    else:
        variance = np.square(error)
        with np.errstate(divide="ignore", invalid="ignore"):
            third = third / np.sqrt(
                variance[3:] + 9.0 * variance[2:-1] + 9.0 * variance[1:-2] + variance[:-3]
            )
    known = np.isfinite(third)
    out = np.full(values.shape[1], np.nan)
    whole = known.all(0)
    out[whole] = np.median(third[:, whole], axis=0)
    for k in np.flatnonzero(~whole & (known.sum(0) >= 8)):
        out[k] = np.median(third[known[:, k], k])
    return out * _MAD_TO_SIGMA


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(values, width // 2, mode="reflect") if len(values) > width // 2 else values
    if len(padded) < width:
        return np.full_like(values, np.median(values))
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=-1)[: len(values)]


def measure_noise_scale(flux: np.ndarray, flux_err: np.ndarray) -> np.ndarray:
    """Measured scatter over ``flux_err`` per wavelength, (W,); smooth over neighbours in AIRS-CH0.

    187 points give a scatter to 6 %; fifteen neighbours share one value unless a bin stands out by 4 of these
    sigma (a hot or dying column), so the weights of the fit do not carry that error.
    """
    scale = high_frequency_scatter(flux, flux_err)
    scale = np.where(np.isfinite(scale) & (scale > 0.0), scale, 1.0)
    if len(scale) > 16:
        smooth = _running_median(scale[1:], 15)
        own = np.abs(np.log(scale[1:] / smooth)) > 4.0 * 1.2 / math.sqrt(len(flux))
        scale[1:] = np.where(own, scale[1:], smooth)
    return np.clip(scale, *_SCALE_LIMITS)


def prepare_visit(light_curve: LightCurve, *, settings: AnchorSettings) -> VisitData:
    """Average to about ``time_bins`` points, mark missing values, rescale the errors.

    Raises
    ------
    DataError
        The light curve has fewer than 12 times, times that are not ascending hours of one visit, or no usable
        flux at all.
    """
    time = np.asarray(light_curve.time, dtype=np.float64)
    flux = np.asarray(light_curve.flux, dtype=np.float64)
    error = np.asarray(light_curve.flux_err, dtype=np.float64)
    where = f"planet {light_curve.planet_id}, visit {light_curve.visit}"
    if len(time) < 12:
        raise DataError(
            "a light curve is too short to fit",
            where=where,
            expected="at least 12 times",
            found=str(len(time)),
            fix="use shorter time bins",
        )
    _check_times(time, float(light_curve.exposure_h), where=where)
    good = np.isfinite(flux) & np.isfinite(error) & (error > 0.0) & np.isfinite(time)[:, None]
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
    step = max(1, int(round(len(time) / settings.time_bins)))
    span, exposure = (float(time[0]), float(time[-1])), float(light_curve.exposure_h) * step
    if step > 1:
        n = len(time) // step
        cut = slice(0, n * step)
        weight = good[cut].reshape(n, step, -1).astype(np.float64)
        count = weight.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            flux = np.sum(np.where(good, flux, 0.0)[cut].reshape(n, step, -1), 1) / count
            error = np.sqrt(np.sum(np.where(good, error, 0.0)[cut].reshape(n, step, -1) ** 2, 1)) / count
        good = count > 0.5 * step
        time = time[cut].reshape(n, step).mean(1)
    scale = measure_noise_scale(np.where(good, flux, np.nan), np.where(good, error, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(good, 1.0 / (error * scale) ** 2, 0.0)
    flux = np.where(good, flux, _filled(flux, good, np.maximum(typical, 1e-3)))
    return VisitData(
        visit=int(light_curve.visit),
        time=torch.as_tensor(time),
        flux=torch.as_tensor(flux),
        weight=torch.as_tensor(weight),
        exposure_h=exposure,
        span=span,
        noise_scale=scale,
        missing=float(1.0 - good.mean()),
    )


def _check_times(time: np.ndarray, exposure_h: float, *, where: str) -> None:
    """Times in days or seconds fit to something, but not to the planet; and a search over 27,000 hours takes
    all memory."""
    step = np.diff(time)
    if not np.isfinite(time).all() or not (step > 0).all():
        raise DataError(
            "the times do not ascend",
            where=where,
            expected="finite hours, each later than the one before",
            found="NaN, equal or descending times",
            fix="sort the light curve by time",
        )
    span, spacing = float(time[-1] - time[0]), float(np.median(step))
    filled = exposure_h / spacing
    if not _SHORTEST_VISIT_H <= span <= _LONGEST_VISIT_H or not (
        exposure_h == 0.0 or _LEAST_FILLED <= filled <= _MOST_FILLED
    ):
        raise DataError(
            "the times are not hours of one visit",
            where=where,
            expected="time and exposure_h in hours, a visit of some hours",
            found=f"{span:.4g} from first to last, {spacing:.3g} apart, exposure_h {exposure_h:.3g}",
            fix="convert them to hours",
        )


def _filled(flux: np.ndarray, good: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Stand-ins (T, W) for missing points: the column's typical flux times what the other columns do at that
    time."""
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
    flux, variance, centre = (
        [data.flux[:, 0]],
        [1.0 / data.weight[:, 0].clamp_min(1e-30)],
        [float(wavelength_um[0])],
    )
    missing = [data.weight[:, 0] <= 0.0]
    for low, high in itertools.pairwise(edges):
        alive = (data.weight[:, low:high] > 0.0).double().mean(0) > 0.5
        part = data.flux[:, low:high] * alive
        noise = (
            torch.where(data.weight[:, low:high] > 0.0, 1.0 / data.weight[:, low:high].clamp_min(1e-30), 0.0)
            * alive
        )
        flux.append(part.sum(1).clamp_min(1e-6))
        variance.append(noise.sum(1).clamp_min(1e-12) if alive.any() else torch.full_like(part[:, 0], 1e30))
        gone = (data.weight[:, low:high] <= 0.0) & alive
        missing.append(gone.sum(1) >= 0.5 * alive.sum().clamp_min(1))
        mean = part.mean(0).numpy()
        centre.append(float(np.average(wavelength_um[low:high], weights=np.maximum(mean, 1e-9))))
    flux_all, error, gone_all = torch.stack(flux, 1), torch.stack(variance, 1).sqrt(), torch.stack(missing, 1)
    scale = high_frequency_scatter(flux_all.numpy(), error.masked_fill(gone_all, math.nan).numpy())
    scale = np.clip(np.where(np.isfinite(scale), scale, 1.0), 0.7, 100.0)
    weight = 1.0 / (error * torch.as_tensor(scale)) ** 2
    weight[gone_all] = 0.0
    return VisitData(
        visit=data.visit,
        time=data.time,
        flux=flux_all,
        weight=weight,
        exposure_h=data.exposure_h,
        span=data.span,
        noise_scale=scale,
        missing=data.missing,
    ), np.array(centre)


def red_noise_factor(residual: Tensor, variance: Tensor, *, block: int = 8) -> tuple[float, float]:
    """How much noisier residuals (T,) are than their ``variance`` (T,): (of one point, of means over
    ``block`` points).

    A depth is a difference of long means, so noise that is correlated over a transit's ingress counts more
    than its point-to-point scatter tells (Pont, Zucker & Queloz 2006). The second number is never below the
    first; its excess counts only beyond the one-sigma scatter that so few blocks have by chance.
    """
    used = torch.isfinite(variance) & (variance < 1e20)
    z = residual[used] / variance[used].sqrt()
    if len(z) < 12:
        return 1.0, 1.0
    robust = float((_MAD_TO_SIGMA * z.abs().median()).clamp_min(0.2))
    z = z.clamp(-4.0 * robust, 4.0 * robust)
    white = float(z.square().mean())
    n = len(z) // block
    if n < 6:
        return white, white
    means = z[: n * block].reshape(n, block).mean(1)
    red = block * float(means.square().sum()) / max(n - 4.0, 1.0)  # four drift terms follow the slow part
    excess = red / max(white, 1e-12) - 1.0 - math.sqrt(2.0 / n)
    return white, white * (1.0 + max(0.0, excess))
