"""The noise of a light curve, measured on itself."""

from __future__ import annotations

import numpy as np

_WINDOW, _ORDER = 10, 2


def measure_scatter(flux: np.ndarray, *, window: int = _WINDOW) -> np.ndarray:
    """σ of one sample of each series, shape of ``flux[0]``, blind to what is smooth over ``window`` samples.

    Residual of a sliding quadratic, its variance divided by the degrees of freedom that the fit leaves. The median over the
    windows (times what makes it the mean for Gaussian noise) is blind to the windows that an ingress or egress bends.
    flux (T, …).
    """
    n = len(flux)
    window = min(window, n)
    order = min(_ORDER, window - 2)
    x = np.linspace(-1.0, 1.0, window)
    design = np.stack([x ** k for k in range(order + 1)], axis=1)
    values = np.asarray(flux, dtype=np.float64)
    values = values - values.mean(axis=0)
    # the residual's square sum = Σ y² − Σ (Qᵀy)², with Q an orthonormal basis of the quadratic: sums that slide
    basis, _ = np.linalg.qr(design)
    total = _sliding(values ** 2, np.ones(window))
    for k in range(order + 1):
        total -= _sliding(values, basis[:, k]) ** 2
    freedom = window - order - 1
    return np.sqrt(np.median(np.maximum(total, 0.0), axis=0) / _median_of_chi_square(freedom))


def _sliding(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ_k w_k·values[t + k] for every window of the first axis."""
    n = len(values) - len(weights) + 1
    return sum(w * values[k:k + n] for k, w in enumerate(weights))


def _median_of_chi_square(k: int) -> float:
    """Wilson and Hilferty (1931): good to 0.3 % from 2 degrees of freedom on."""
    return k * (1.0 - 2.0 / (9.0 * k)) ** 3


def measure_binned_scatter(exposures: np.ndarray, edges: np.ndarray) -> float:
    """σ of a bin's mean of one series (N,), from bins cut in up to six parts.

    Parts resolve an ingress that a bin does not, and there are more of them, so σ is known to 2–4 % instead of 7 %. The parts'
    σ is carried to the bin by the square root of their number: what the jitter model leaves is white on these times.
    """
    counts = np.diff(edges)
    parts = int(min(6, counts.min() // 2))
    if parts < 2:
        return float(measure_scatter(_means(exposures, edges)))
    fine = np.unique(np.concatenate([np.linspace(a, b, parts + 1).astype(int) for a, b in zip(edges[:-1], edges[1:], strict=True)]))
    return float(measure_scatter(_means(exposures, fine))) / np.sqrt(parts)


def _means(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values[:edges[-1]], edges[:-1]) / np.diff(edges)


def measure_flux_err(flux: np.ndarray, predicted: np.ndarray, *, smooth: int = 25) -> np.ndarray:
    """σ of each bin, (T, W), from the measured scatter and the shape of the predicted noise.

    flux (T, W) · predicted (W,) σ of a sample from shot and read noise. One series of T samples measures its σ to
    1 / √(2T) (5 % for 187), so the ratio measured / predicted is averaged over ``smooth`` neighbouring
    wavelengths: real excess noise changes slowly with wavelength, the error of the measurement does not. A
    wavelength that is far noisier than its neighbours (a bad pixel) keeps its own.
    """
    measured = measure_scatter(flux)
    predicted = np.maximum(predicted, 1e-12)
    ratio = measured / predicted
    half = min(smooth, len(ratio)) // 2
    padded = np.pad(ratio, half, mode="reflect") if len(ratio) > half else ratio
    level = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1) if half else ratio
    own = ratio > level * (1.0 + 8.0 / np.sqrt(2.0 * max(len(flux) - 3, 1)))
    sigma = np.where(own, ratio, level) * predicted
    mean = flux.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(mean > 0, np.sqrt(np.clip(flux / mean, 0.25, 4.0)), 1.0)
    return (sigma * relative).astype(np.float32)
