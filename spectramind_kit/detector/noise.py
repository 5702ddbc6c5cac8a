"""The noise of a light curve, measured on itself."""

from __future__ import annotations

import itertools

import numpy as np

from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.robust import median_of_known, running_median

_WINDOW, _ORDER = 10, 2  # of the sliding polynomial (docs/decisions.md D38)
_COURSE_BINS = 9  # of the running median that photon noise follows: short beside a transit (D22)
_COURSE_LIMITS = (0.25, 4.0)
_SMOOTH = 25  # neighbouring wavelengths that share the ratio of measured and predicted noise
_OWN_SIGMAS = 8.0  # errors of a measured σ, by which a wavelength must be noisier to keep its own


def measure_scatter(flux: np.ndarray) -> np.ndarray:
    """σ of one sample of each series, shape of ``flux[0]``, blind to what is smooth over ten samples.

    Residual of a sliding quadratic, its variance divided by the degrees of freedom that the fit leaves. The
    median over the windows (times what makes it the mean for Gaussian noise) is blind to the windows that an
    ingress or egress bends. flux (T, …); windows with a missing sample (NaN) are left out, and a series
    without a whole window gives NaN.
    """
    n = len(flux)
    window = min(_WINDOW, n)
    order = min(_ORDER, window - 2)
    x = np.linspace(-1.0, 1.0, window)
    design = np.stack([x**k for k in range(order + 1)], axis=1)
    values = np.asarray(flux, dtype=np.float64)
    values = values - _mean_of_known(values)
    # the residual's square sum is Σ y² − Σ (Qᵀy)², Q an orthonormal basis of the quadratic: sums that slide
    basis, _ = np.linalg.qr(design)
    total = _sliding(values**2, np.ones(window))
    for k in range(order + 1):
        total -= _sliding(values, basis[:, k]) ** 2
    freedom = window - order - 1
    return np.sqrt(median_of_known(np.maximum(total, 0.0), axis=0) / _median_of_chi_square(freedom))


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _sliding(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ_k w_k·values[t + k] for every window of the first axis."""
    n = len(values) - len(weights) + 1
    return sum(w * values[k : k + n] for k, w in enumerate(weights))


def _median_of_chi_square(k: int) -> float:
    """Wilson and Hilferty (1931): good to 0.3 % from 2 degrees of freedom on."""
    return k * (1.0 - 2.0 / (9.0 * k)) ** 3


def measure_binned_scatter(exposures: np.ndarray, edges: np.ndarray) -> float:
    """σ of a bin's mean of one series (N,), from bins cut in up to six parts.

    Parts resolve an ingress that a bin does not, and there are more of them, so σ is known to 2–4 % instead
    of 7 %. The parts' σ is carried to the bin by the square root of their number: what the jitter model
    leaves is white on these times.
    """
    counts = np.diff(edges)
    parts = int(min(6, counts.min() // 2))
    if parts < 2:
        return float(measure_scatter(_means(exposures, edges)))
    cuts = [np.linspace(a, b, parts + 1).astype(int) for a, b in itertools.pairwise(edges)]
    fine = np.unique(np.concatenate(cuts))
    return float(measure_scatter(_means(exposures, fine))) / np.sqrt(parts)


def _means(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean over each part of the samples that are there; NaN where none is."""
    known = np.isfinite(values)
    if known.all():
        return bin_mean(values, edges)
    filled, stop = np.where(known, values, 0.0), edges[-1]
    total, count = (np.add.reduceat(part[:stop], edges[:-1]) for part in (filled, known.astype(float)))
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)


def smooth_course(flux: np.ndarray) -> np.ndarray:
    """Flux over its mean, (T,), a running median of the mean of the series (T, W): what photon noise follows.

    Not the flux of each bin itself: errors that follow their own bin's noise are small where the flux is low
    by chance, which biases every weighted mean, and flux / error would show half of the noise only.
    """
    flux = np.asarray(flux, dtype=np.float64).reshape(len(flux), -1)
    mean = _mean_of_known(flux)
    usable = np.isfinite(mean) & (mean > 0)
    if not usable.any():
        return np.ones(len(flux))
    known, expected = np.isfinite(flux[:, usable]), mean[usable]
    total = np.where(known, flux[:, usable], 0.0).sum(axis=1)
    course = total / np.maximum((known * expected).sum(axis=1), 1e-300)
    there = known.any(axis=1)
    course = np.interp(np.arange(len(course)), np.flatnonzero(there), course[there])
    return np.clip(running_median(course, _COURSE_BINS), *_COURSE_LIMITS)


def error_course(course: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """σ of each bin over a typical one's, (T,): photon noise follows the flux, fewer exposures have more.

    course (T,) from `smooth_course` · counts (T,) exposures in each bin; a bin without any has no σ (NaN).
    """
    counts = np.asarray(counts, dtype=np.float64)
    typical = np.median(counts[counts > 0]) if (counts > 0).any() else 1.0
    return np.sqrt(course * typical / np.where(counts > 0, counts, np.nan))


def measure_flux_err(
    flux: np.ndarray, predicted: np.ndarray, *, counts: np.ndarray | None = None
) -> np.ndarray:
    """σ of each bin, (T, W), from the measured scatter and the predicted noise's shape; NaN without a flux.

    flux (T, W) · predicted (W,) σ of a typical bin from shot and read noise · counts (T,) exposures in each
    bin. One series of T samples measures its σ to 1 / √(2T) (5 % for 187), so the ratio measured / predicted
    is averaged over 25 neighbouring wavelengths: real excess noise changes slowly with wavelength,
    the error of the measurement does not. A wavelength that is far noisier than its neighbours (a bad pixel)
    keeps its own.
    """
    predicted = np.maximum(predicted, 1e-12)
    ratio = measure_scatter(flux) / predicted
    ratio = np.where(np.isfinite(ratio), ratio, np.nanmedian(ratio) if np.isfinite(ratio).any() else 1.0)
    level = running_median(ratio, _SMOOTH)
    own = ratio > level * (1.0 + _OWN_SIGMAS / np.sqrt(2.0 * max(len(flux) - 3, 1)))
    sigma = np.where(own, ratio, level) * predicted
    relative = error_course(smooth_course(flux), np.ones(len(flux)) if counts is None else counts)
    return np.where(np.isfinite(flux), sigma * relative[:, None], np.nan).astype(np.float32)
