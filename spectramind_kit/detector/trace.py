"""From binned AIRS-CH0 frames to a flux per wavelength: fill, foreground, sum across the dispersion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.foreground import estimate_trace_foreground
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.visit_frames import CalibratedFrames


@dataclass(frozen=True)
class Trace:
    """flux (T, C) e⁻ per exposure in detector order of columns; predicted_noise (C,) σ of one exposure from shot and
    read noise; centroid (T,) row of the trace; width (T,) its second moment."""

    flux: np.ndarray
    predicted_noise: np.ndarray
    centroid: np.ndarray
    width: np.ndarray
    foreground: np.ndarray
    edge_star_share: float


def extract_trace(frames: CalibratedFrames, *, settings: DetectorSettings) -> Trace:
    """Sum the trace of calibrated AIRS-CH0 frames (`calibrate_visit`, bins or exposures)."""
    images = frames.images
    n_rows, n_columns = images.shape[1:]
    rows = frames.selection.row.reshape(n_rows, n_columns)[:, 0]
    bad = frames.bad[:n_rows * n_columns].reshape(n_rows, n_columns)
    read_noise = frames.read_noise.reshape(n_rows, n_columns)
    edge = (rows < settings.airs_edge_rows) | (rows >= frames.selection.instrument.rows - settings.airs_edge_rows)
    foreground, share = np.zeros(n_columns), 0.0
    if settings.foreground != "off":
        foreground, share = estimate_trace_foreground(images.mean(axis=0, dtype=np.float64), rows, edge=edge, bad=bad,
                                                      remove_wing=settings.foreground == "wing_removed")
    trace = images[:, ~edge] - foreground.astype(np.float32)
    lost = bad[~edge]
    trace = fill_along_dispersion(trace, lost)
    mean = trace.mean(axis=0, dtype=np.float64)
    variance = np.maximum(mean + foreground, 0.0) + read_noise[~edge] ** 2
    if settings.airs_extraction == "optimal":
        weight = optimal_weights(mean, variance)
        flux = np.einsum("trc,rc->tc", trace, weight.astype(np.float32))
    else:
        weight = np.ones_like(mean)
        flux = trace.sum(axis=1)
    noise = np.sqrt((weight ** 2 * variance).sum(axis=0))
    row = rows[~edge].astype(np.float64)
    profile = trace.sum(axis=2, dtype=np.float64)
    total = profile.sum(axis=1)
    centroid = (profile * row).sum(axis=1) / total
    width = (profile * (row - centroid.mean()) ** 2).sum(axis=1) / total
    return Trace(flux=flux, predicted_noise=noise, centroid=centroid, width=width, foreground=foreground,
                 edge_star_share=share)


def optimal_weights(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Weights (R, C) of least variance for a source of fixed shape (Horne 1986, PASP 98, 609), scaled so that the
    weighted sum of the mean image equals its plain sum."""
    shape = np.maximum(mean, 0.0)
    weight = shape / variance
    norm = (weight * mean).sum(axis=0)
    total = mean.sum(axis=0)
    scale = np.where(norm > 0, total / np.where(norm > 0, norm, 1.0), 0.0)
    return np.where(norm > 0, weight * scale, 1.0)


def fill_along_dispersion(trace: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Replace bad pixels of (T, R, C) from the same row at the nearest good columns.

    What is interpolated is the row's share of its column, times the flux of the bad pixel's own column in the rows that
    are good in all three: the spectrum may have any slope, only the profile must change slowly along the dispersion.
    Columns without light fall back to the plain interpolation.
    """
    r, c = np.nonzero(bad)
    if not len(r):
        return trace
    good = ~bad
    columns = np.arange(bad.shape[1])
    last = np.maximum.accumulate(np.where(good, columns, -1), axis=1)
    following = np.minimum.accumulate(np.where(good, columns, bad.shape[1])[:, ::-1], axis=1)[:, ::-1]
    left, right = last[r, c], following[r, c]
    hopeless = (left < 0) & (right >= bad.shape[1])  # a row without any good pixel
    left = np.where(left < 0, np.where(hopeless, c, right), left)
    right = np.where(right >= bad.shape[1], left, right)
    weight = np.where(right > left, (c - left) / np.maximum(right - left, 1), 0.0).astype(np.float32)
    common = good[:, left] & good[:, right] & good[:, c]  # (R, K)
    mean = trace.mean(axis=0)
    # rows in which the profile is read: those that hold light at all, or their noise would be copied
    at_left, at_right, here = (np.einsum("trk,rk->tk", trace[:, :, k], common.astype(np.float32))
                               for k in (left, right, c))
    lit = np.minimum(np.minimum(at_left.mean(axis=0), at_right.mean(axis=0)), here.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        by_share = here * ((1 - weight) * trace[:, r, left] / at_left + weight * trace[:, r, right] / at_right)
    plain = (1 - weight) * trace[:, r, left] + weight * trace[:, r, right]
    value = np.where((lit > 10.0 * np.abs(mean[r, left]).clip(1.0) * 0.05) & np.isfinite(by_share), by_share, plain)
    filled = trace.copy()
    filled[:, r, c] = np.where(hopeless, 0.0, value)
    return filled
