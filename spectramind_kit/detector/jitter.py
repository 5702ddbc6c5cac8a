"""FGS1: a flux per exposure from its PSF window, and the pointing jitter modelled and regressed out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.calibrate import interpolate_bad_pixels
from spectramind_kit.detector.foreground import estimate_window_foreground
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import bin_mean

_ROUNDS = 3
_ENOUGH_PER_BIN = 240


@dataclass(frozen=True)
class WindowFlux:
    """flux (N,) e⁻ per exposure · features (N, K) pointing features · predicted_noise σ of one exposure from
    shot and read noise."""

    flux: np.ndarray
    features: np.ndarray
    predicted_noise: float
    foreground: float
    corner_star_light: float

    @property
    def offset_px(self) -> np.ndarray:
        """(N, 2) offset of the PSF along rows and columns, pixels."""
        return self.features[:, :2]


@dataclass(frozen=True)
class WindowPlan:
    """What turns calibrated FGS1 exposures (N, G) into flux and pointing: one matrix.

    projection (G, 7): the weights of the flux, then those of the six amplitudes of the fit.
    """

    projection: np.ndarray
    predicted_noise: float
    foreground: float
    corner_star_light: float

    def apply(self, projected: np.ndarray, *, variation: np.ndarray | None = None) -> WindowFlux:
        """From exposures @ projection, (N, 7); ``variation`` (N,): foreground of each exposure about the
        visit's mean, e⁻ per pixel."""
        per_pixel = self.projection.sum(axis=0)
        values = projected - np.float32(self.foreground) * per_pixel
        if variation is not None:
            values -= np.outer(variation.astype(np.float32), per_pixel)
        relative = values[:, 2:] / values[:, 1:2]
        dr, dc = relative[:, 0], relative[:, 1]
        features = np.stack([dr, dc, dr * dr, dr * dc, dc * dc, *relative[:, 2:].T], axis=1)
        return WindowFlux(
            flux=values[:, 0].astype(np.float64),
            features=features.astype(np.float64),
            predicted_noise=self.predicted_noise,
            foreground=self.foreground,
            corner_star_light=self.corner_star_light,
        )


def plan_window(
    selection: PixelSelection,
    mean: np.ndarray,
    *,
    bad: np.ndarray,
    read_noise: np.ndarray,
    settings: DetectorSettings,
) -> WindowPlan:
    """From the mean of every selected pixel, (P,), bad pixels (P,) and the read noise of an exposure (P,).

    Each frame is read as F·(M + δr·∂M/∂r + δc·∂M/∂c + second derivatives), M the mean frame, by weighted
    least squares: one matrix product gives flux, centroid offsets and higher moments of all exposures. The
    flux is weighted by M over its variance (``optimal``), which leaves dead pixels out, or is the plain sum
    with dead pixels interpolated (``sum``).
    """
    shape, n = selection.grid, selection.n_grid
    foreground, wing = 0.0, 0.0
    if settings.foreground != "off":
        foreground, wing = estimate_window_foreground(
            mean,
            selection.row.astype(float),
            selection.column.astype(float),
            n_window=n,
            bad=bad,
            remove_wing=settings.foreground == "wing_removed",
        )
    lost = bad[:n].reshape(shape)
    image = interpolate_bad_pixels((mean[:n] - foreground).reshape(shape), lost)
    variance = np.maximum(image + foreground, 0.0) + read_noise[:n].reshape(shape) ** 2
    weight = np.where(lost, 0.0, 1.0 / variance)
    if settings.fgs1_extraction == "optimal":
        flux_weight = weight * np.maximum(image, 0.0)
        norm = (flux_weight * image).sum()
        flux_weight = flux_weight * (image.sum() / norm) if norm > 0 else np.ones(shape)
    else:
        flux_weight = _fold_fill(lost)
    design = np.stack([t.ravel() for t in _templates(image)], axis=1)
    weighted = weight.ravel()[:, None] * design
    gram = design.T @ weighted
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram)  # a window without a star still has a solution
    projection = np.concatenate([flux_weight.reshape(n, 1), weighted @ np.linalg.inv(gram)], axis=1)
    return WindowPlan(
        projection=projection.astype(np.float32),
        foreground=foreground,
        corner_star_light=wing,
        predicted_noise=float(np.sqrt((flux_weight**2 * variance).sum())),
    )


def remove_jitter(flux: np.ndarray, features: np.ndarray, *, edges: np.ndarray) -> tuple[np.ndarray, float]:
    """Regress the pointing features out of a flux series; returns the corrected flux and the share of the
    in-bin variance that they explained.

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
    flux, features = flux[start:stop], features[start:stop]
    level = flux.mean(axis=0, dtype=np.float64)
    centre = features.mean(axis=0)
    counts = np.diff(edges)
    # a third of FGS1's 360 exposures per bin determines eight numbers as well
    if np.median(counts) >= _ENOUGH_PER_BIN:
        step = int(np.median(counts)) // (_ENOUGH_PER_BIN // 2)
        flux, features = flux[::step], features[::step]
        edges = np.unique(-(-(edges - start) // step))
        start, counts = 0, np.diff(edges)

    def local(values: np.ndarray) -> np.ndarray:
        if counts.max() < 3:
            return _minus_neighbours(values)
        return values - np.repeat(bin_mean(values, edges - start).astype(values.dtype), counts, axis=0)

    x = local(features)
    scale = x.std(axis=0)
    used = np.flatnonzero(scale > 1e-12)
    if len(flux) < 12 * max(1, len(used)) or not len(used):
        return (lambda f: np.ones((len(f), flux.shape[1]))), np.zeros(flux.shape[1])
    x = x[:, used] / scale[used]
    y = local(flux)
    y /= np.where(level > 0, level, 1.0).astype(y.dtype)
    common, keep = _robust_fit(x, (y @ (level / level.sum()).astype(y.dtype)).astype(np.float64))
    # all that follows needs only xᵀx, xᵀy and Σy² over the samples kept
    x *= keep[:, None]
    gram, cross = x.T @ x, x.astype(y.dtype).T @ y
    power = np.einsum("tw,tw,t->w", y, y, keep.astype(y.dtype))
    inverse = np.linalg.inv(gram)
    if flux.shape[1] == 1:
        coefficients = common[:, None]
    else:
        own = inverse @ cross
        noise = (power - (own * cross).sum(axis=0)) / keep.sum()
        error = np.diag(inverse)[:, None] * np.maximum(noise, 1e-30)  # variance of each coefficient
        spread = ((own - common[:, None]) ** 2 / error).mean(axis=1, keepdims=True)
        # variance of the true responses
        signal = np.maximum(spread - 1.0, 0.0) * np.median(error, axis=1, keepdims=True)
        coefficients = common[:, None] + (own - common[:, None]) * signal / (signal + error)
    residual = (
        power - 2.0 * (coefficients * cross).sum(axis=0) + (coefficients * (gram @ coefficients)).sum(axis=0)
    )
    explained = 1.0 - residual / np.maximum(power, 1e-30)
    return (lambda f: 1.0 + (f[:, used] - centre[used]) / scale[used] @ coefficients), explained


def _robust_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with three rounds of clipping at 4.5 σ; returns the coefficients and what was kept."""
    keep = np.isfinite(y)
    coefficients = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        kept = x * keep[:, None]
        gram = kept.T @ x
        gram[np.diag_indices_from(gram)] += 1e-8 * keep.sum()
        coefficients = np.linalg.solve(gram, kept.T @ y)
        residual = y - x @ coefficients
        sigma = 1.4826 * np.median(np.abs(residual[:: max(1, len(residual) // 8192)]))
        keep = np.abs(residual) < 4.5 * max(sigma, 1e-30)
    return coefficients, keep


def _minus_neighbours(values: np.ndarray) -> np.ndarray:
    """Difference to a quadratic through the seven nearest samples: what is left of a series that has one
    exposure per bin."""
    half = 3
    x = np.arange(-half, half + 1, dtype=float)
    smoother = np.stack([np.ones_like(x), x, x * x], axis=1)
    weights = np.linalg.pinv(smoother)[0]  # value of the local quadratic at its centre
    out = np.zeros_like(values, dtype=np.float64)
    n = len(values)
    if n > 2 * half:
        out[half : n - half] = values[half : n - half] - sum(
            w * values[k : n - 2 * half + k] for k, w in enumerate(weights)
        )
    return out


def average_over_exposures(
    values: np.ndarray, time_h: np.ndarray, *, start_h: np.ndarray, end_h: np.ndarray
) -> np.ndarray:
    """Mean of ``values`` (N, K) at ``time_h`` (N,) over each interval; the nearest value where none falls
    inside."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    a, b = np.searchsorted(time_h, start_h), np.searchsorted(time_h, end_h)
    nearest = np.clip(np.searchsorted(time_h, 0.5 * (start_h + end_h)), 0, len(time_h) - 1)
    empty = b <= a
    a, b = np.where(empty, nearest, a), np.where(empty, nearest + 1, b)
    return (total[b] - total[a]) / (b - a)[:, None]


def _templates(image: np.ndarray) -> list[np.ndarray]:
    """The mean PSF and its first and second derivatives along rows and columns."""
    dr, dc = np.gradient(image)
    drr, drc = np.gradient(dr)
    _, dcc = np.gradient(dc)
    return [image, -dr, -dc, drr, drc, dcc]


def _fold_fill(bad: np.ndarray) -> np.ndarray:
    """Weights of the plain sum over the window with bad pixels interpolated along rows: filling is linear, so
    it folds into the weights of the good pixels."""
    weight = np.ones(bad.shape)
    columns = np.arange(bad.shape[1])
    for row, column in zip(*np.nonzero(bad), strict=True):
        weight[row, column] = 0.0
        good = columns[~bad[row]]
        if not len(good):
            continue
        left, right = good[good < column], good[good > column]
        a = left[-1] if len(left) else right[0]
        b = right[0] if len(right) else left[-1]
        share = (column - a) / (b - a) if b != a else 0.0
        weight[row, a] += 1.0 - share
        weight[row, b] += share
    return weight
