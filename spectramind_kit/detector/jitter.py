"""FGS1: a flux per exposure from its PSF window, and the pointing jitter modelled and regressed out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.calibrate import interpolate_bad_pixels
from spectramind_kit.detector.foreground import estimate_window_foreground
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.detector.visit_frames import CalibratedFrames

_ITERATIONS = 2


@dataclass(frozen=True)
class WindowFlux:
    """flux (N,) e⁻ per exposure · features (N, K) pointing features · predicted_noise σ of one exposure from shot and
    read noise."""

    flux: np.ndarray
    features: np.ndarray
    predicted_noise: float
    foreground: float
    corner_star_light: float

    @property
    def offset_px(self) -> np.ndarray:
        """(N, 2) offset of the PSF along rows and columns, pixels."""
        return self.features[:, :2]


def extract_window(frames: CalibratedFrames, *, settings: DetectorSettings) -> WindowFlux:
    """Flux and pointing of every FGS1 exposure.

    Each frame is read as F·(M + δr·∂M/∂r + δc·∂M/∂c + second derivatives), M the mean frame, by weighted least squares:
    one matrix product gives flux, centroid offsets and higher moments of all exposures. ``sum`` adds the pixels up
    instead (the offsets still come from the fit).
    """
    n_rows, n_columns = frames.selection.grid
    n = n_rows * n_columns
    window = frames.flux[:, :n]
    bad = frames.bad[:n]
    mean_all = frames.flux.mean(axis=0, dtype=np.float64)
    foreground, wing = 0.0, 0.0
    if settings.foreground != "off":
        foreground, wing = estimate_window_foreground(
            mean_all, frames.selection.row.astype(float), frames.selection.column.astype(float), n_window=n,
            bad=frames.bad, remove_wing=settings.foreground == "wing_removed")
    image = interpolate_bad_pixels((mean_all[:n] - foreground).reshape(n_rows, n_columns), bad.reshape(n_rows, n_columns))
    variance = np.maximum(image + foreground, 0.0) + frames.read_noise[:n].reshape(n_rows, n_columns) ** 2
    weight = np.where(bad.reshape(n_rows, n_columns), 0.0, 1.0 / variance)
    templates = _templates(image)
    if settings.fgs1_extraction == "optimal":
        flux_weight = weight * np.maximum(image, 0.0)
        flux_weight *= image.sum() / (flux_weight * image).sum()
        filled_weight = flux_weight
    else:
        flux_weight = _fold_fill(bad.reshape(n_rows, n_columns)) if bad.any() else np.ones((n_rows, n_columns))
        filled_weight = flux_weight
    design = np.stack([t.ravel() for t in templates], axis=1)
    w = weight.ravel()[:, None]
    solve = np.linalg.solve(design.T @ (w * design), (w * design).T)  # (K, n)
    projection = np.concatenate([filled_weight.reshape(1, n), solve]).astype(np.float32)
    values = window @ projection.T
    values -= np.float32(foreground) * projection.sum(axis=1)
    flux, amplitude = values[:, 0], values[:, 1:]
    relative = amplitude[:, 1:] / amplitude[:, :1]
    dr, dc = relative[:, 0], relative[:, 1]
    features = np.stack([dr, dc, dr * dr, dr * dc, dc * dc, *relative[:, 2:].T], axis=1)
    noise = float(np.sqrt((filled_weight ** 2 * variance).sum()))
    return WindowFlux(flux=flux.astype(np.float64), features=features.astype(np.float64), predicted_noise=noise,
                      foreground=foreground, corner_star_light=wing)


def remove_jitter(flux: np.ndarray, features: np.ndarray, *, edges: np.ndarray) -> tuple[np.ndarray, float]:
    """Regress the pointing features out of a flux series; returns the corrected flux and the share of the in-bin variance
    that they explained.

    flux (N,), features (N, K). The coefficients come from the differences to each bin's mean only: a bin is short beside
    a transit, so the transit cannot leak into them. They are then applied to the features relative to the visit's mean.
    """
    stop = int(edges[-1])
    counts = np.diff(edges)
    if counts.max() < 3 or stop <= 4 * features.shape[1]:
        return flux, 0.0
    start = int(edges[0])
    level = np.repeat(bin_mean(flux, edges), counts)
    local = np.repeat(bin_mean(features, edges), counts, axis=0)
    y = flux[start:stop] / level - 1.0
    x = features[start:stop] - local
    scale = x.std(axis=0)
    used = scale > 0
    if not used.any():
        return flux, 0.0
    x = x[:, used] / scale[used]
    keep = np.ones(len(y), bool)
    coefficients = np.zeros(x.shape[1])
    for _ in range(_ITERATIONS):
        xk, yk = x[keep], y[keep]
        gram = xk.T @ xk
        gram[np.diag_indices_from(gram)] += 1e-6 * len(xk)
        coefficients = np.linalg.solve(gram, xk.T @ yk)
        residual = y - x @ coefficients
        keep = np.abs(residual) < 5.0 * residual[keep].std()
    explained = 1.0 - float(residual[keep].var() / max(y[keep].var(), 1e-30))
    centred = (features[:, used] - features[start:stop, used].mean(axis=0)) / scale[used]
    return flux / (1.0 + centred @ coefficients), explained


def _templates(image: np.ndarray) -> list[np.ndarray]:
    """The mean PSF and its first and second derivatives along rows and columns."""
    dr, dc = np.gradient(image)
    drr, drc = np.gradient(dr)
    _, dcc = np.gradient(dc)
    return [image, -dr, -dc, drr, drc, dcc]


def _fold_fill(bad: np.ndarray) -> np.ndarray:
    """Weights of the plain sum over the window with bad pixels interpolated along rows: filling is linear, so it folds
    into the weights of the good pixels."""
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
