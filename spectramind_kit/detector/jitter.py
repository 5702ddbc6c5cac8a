"""The pointing jitter: how a flux answers to it, measured within the time bins, and divided out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.robust import mad_sigma

_ROUNDS, _CLIP_SIGMAS = 3, 4.5  # of the robust fit of the common response
_ENOUGH = 8192  # residuals that tell their scatter
_ENOUGH_PER_BIN = 240  # exposures: a third of FGS1's 360 determines eight numbers as well
_FEWEST_PER_FEATURE = 12  # exposures


def remove_jitter(flux: np.ndarray, features: np.ndarray, *, edges: np.ndarray) -> tuple[np.ndarray, float]:
    """A flux series without what pointing features explain, and the share of the variance that they do.

    flux (N,), features (N, K), edges (T + 1,) of the time bins. The coefficients come from the differences to
    each bin's mean only: a bin is short beside a transit, so the transit cannot leak into them. They are then
    applied to the features relative to the visit's mean.
    """
    factor, explained = fit_jitter(flux[:, None], features, edges=edges)
    return flux / factor(features)[:, 0], float(explained[0])


def fit_jitter(
    flux: np.ndarray, features: np.ndarray, *, edges: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Response of several flux series (N, W) to pointing features (N, K).

    Returns a function from features (M, K) to the factor (M, W) by which pointing changed the flux, and the
    share of the local variance that it explains (W,). Where there are several series, a response that differs
    from their common one by no more than its error is drawn to the common one (empirical Bayes per feature),
    so that weak series do not fit noise.
    """
    start, stop = int(edges[0]), int(edges[-1])
    flux, features, edges = flux[start:stop], features[start:stop], edges - start
    level = flux.mean(axis=0, dtype=np.float64)
    centre = features.mean(axis=0)
    typical = np.median(np.diff(edges))
    if typical >= _ENOUGH_PER_BIN:
        step = int(typical) // (_ENOUGH_PER_BIN // 2)
        flux, features, edges = flux[::step], features[::step], np.unique(-(-edges // step))
    x = _within_bins(features, edges)
    scale = x.std(axis=0)
    used = np.flatnonzero(scale > 1e-12)
    if len(flux) < _FEWEST_PER_FEATURE * max(1, len(used)) or not len(used):
        return (lambda f: np.ones((len(f), flux.shape[1]))), np.zeros(flux.shape[1])
    x = x[:, used] / scale[used]
    y = _within_bins(flux, edges)
    y /= np.where(level > 0, level, 1.0).astype(y.dtype)
    coefficients, explained = _responses(x, y, weight=level / level.sum())
    return (lambda f: 1.0 + (f[:, used] - centre[used]) / scale[used] @ coefficients), explained


def _within_bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values (N, K) less the mean of their bin, or less their neighbours' course where bins are too short."""
    counts = np.diff(edges)
    if counts.max() < 3:
        return _minus_neighbours(values)
    return values - np.repeat(bin_mean(values, edges).astype(values.dtype), counts, axis=0)


def _responses(x: np.ndarray, y: np.ndarray, *, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (K, W) of relative series y (N, W) on features x (N, K), and the variance explained (W,).

    ``weight`` (W,) of each series in their common response.
    """
    common, keep = _robust_fit(x, (y @ weight.astype(y.dtype)).astype(np.float64))
    # all that follows needs only xᵀx, xᵀy and Σy² over the samples kept
    x *= keep[:, None]
    gram, cross = x.T @ x, x.astype(y.dtype).T @ y
    power = np.einsum("tw,tw,t->w", y, y, keep.astype(y.dtype))
    inverse = np.linalg.inv(gram)
    if y.shape[1] == 1:
        coefficients = common[:, None]
    else:
        own = inverse @ cross
        noise = (power - (own * cross).sum(axis=0)) / keep.sum()
        error = np.diag(inverse)[:, None] * np.maximum(noise, 1e-30)  # variance of each coefficient
        spread = ((own - common[:, None]) ** 2 / error).mean(axis=1, keepdims=True)
        # variance of the true responses
        signal = np.maximum(spread - 1.0, 0.0) * np.median(error, axis=1, keepdims=True)
        coefficients = common[:, None] + (own - common[:, None]) * signal / (signal + error)
    fitted = (coefficients * cross).sum(axis=0)
    residual = power - 2.0 * fitted + (coefficients * (gram @ coefficients)).sum(axis=0)
    return coefficients, 1.0 - residual / np.maximum(power, 1e-30)


def _robust_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with three rounds of clipping: the coefficients, and what was kept."""
    keep = np.isfinite(y)
    coefficients = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        kept = x * keep[:, None]
        gram = kept.T @ x
        gram[np.diag_indices_from(gram)] += 1e-8 * keep.sum()
        coefficients = np.linalg.solve(gram, kept.T @ y)
        residual = y - x @ coefficients
        sigma = mad_sigma(residual[:: max(1, len(residual) // _ENOUGH)], centre=0.0)
        keep = np.abs(residual) < _CLIP_SIGMAS * max(sigma, 1e-30)
    return coefficients, keep


def _minus_neighbours(values: np.ndarray) -> np.ndarray:
    """Difference to a quadratic through the seven nearest samples, for an exposure or two per bin."""
    half = 3
    x = np.arange(-half, half + 1, dtype=float)
    smoother = np.stack([np.ones_like(x), x, x * x], axis=1)
    weights = np.linalg.pinv(smoother)[0]  # value of the local quadratic at its centre
    out = np.zeros_like(values, dtype=np.float64)
    n = len(values)
    if n > 2 * half:
        expected = sum(w * values[k : n - 2 * half + k] for k, w in enumerate(weights))
        out[half : n - half] = values[half : n - half] - expected
    return out


def average_over_exposures(
    values: np.ndarray, time_h: np.ndarray, *, start_h: np.ndarray, end_h: np.ndarray
) -> np.ndarray:
    """Mean of ``values`` (N, K) at ``time_h`` (N,) over each interval; the nearest where none is inside."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    a, b = np.searchsorted(time_h, start_h), np.searchsorted(time_h, end_h)
    nearest = np.clip(np.searchsorted(time_h, 0.5 * (start_h + end_h)), 0, len(time_h) - 1)
    empty = b <= a
    a, b = np.where(empty, nearest, a), np.where(empty, nearest + 1, b)
    return (total[b] - total[a]) / (b - a)[:, None]
