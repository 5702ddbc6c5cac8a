"""The noise of a light curve, measured on itself."""

from __future__ import annotations

import numpy as np

_WINDOW, _ORDER = 10, 2


def measure_scatter(flux: np.ndarray, *, window: int = _WINDOW) -> np.ndarray:
    """σ of one sample of each series, shape of ``flux[0]``, blind to all that is smooth over ``window`` samples.

    Residual of a sliding quadratic over 10 samples, times √(10 / 7) for the three coefficients it spends: a transit's
    ingress lasts many bins and passes through. flux (T, …).
    """
    n = len(flux)
    window = min(window, n)
    order = min(_ORDER, window - 2)
    x = np.linspace(-1.0, 1.0, window)
    design = np.stack([x ** k for k in range(order + 1)], axis=1)
    residual_maker = np.eye(window) - design @ np.linalg.pinv(design)
    values = np.asarray(flux, dtype=np.float64)
    values = values - values.mean(axis=0)
    total = np.zeros(flux.shape[1:])
    for start in range(n - window + 1):
        r = np.tensordot(residual_maker, values[start:start + window], axes=(1, 0))
        total += (r ** 2).sum(axis=0)
    return np.sqrt(total / ((n - window + 1) * (window - order - 1)))


def measure_flux_err(flux: np.ndarray, predicted: np.ndarray, *, smooth: int = 15) -> np.ndarray:
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
    own = ratio > level * (1.0 + 5.0 / np.sqrt(2.0 * max(len(flux) - 3, 1)))
    sigma = np.where(own, ratio, level) * predicted
    mean = flux.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(mean > 0, np.sqrt(np.clip(flux / mean, 0.25, 4.0)), 1.0)
    return (sigma * relative).astype(np.float32)
