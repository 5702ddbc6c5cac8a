"""From binned AIRS-CH0 frames to a flux per wavelength: fill, foreground, sum across the dispersion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.dispersion_fill import DispersionFill, too_wide_to_fill
from spectramind_kit.detector.foreground import estimate_trace_foreground
from spectramind_kit.detector.optimal_weights import optimal_weights
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.visit_frames import CalibratedFrames


@dataclass(frozen=True)
class Trace:
    """flux (T, C) e⁻ per exposure in detector order of columns; predicted_noise (C,) σ of one exposure from
    shot and read noise; centroid (T,) row of the trace; width (T,) its second moment; per_pixel (C,) what one
    e⁻ in every pixel adds to the flux; saturated_share (C,) at least this part of a column's light fell into
    saturated pixels."""

    flux: np.ndarray
    predicted_noise: np.ndarray
    centroid: np.ndarray
    width: np.ndarray
    foreground: np.ndarray
    edge_star_light: np.ndarray
    per_pixel: np.ndarray
    saturated_share: np.ndarray
    jitter_explained: float = 0.0


def extract_trace(frames: CalibratedFrames, *, settings: DetectorSettings) -> Trace:
    """Sum the trace of calibrated AIRS-CH0 frames (`calibrate_visit`, bins or exposures)."""
    selection = frames.selection
    n_rows, n_columns = selection.grid
    trace = frames.images
    rows = selection.row.reshape(-1, n_columns)[:, 0]  # of the trace, then of the edges
    bad = frames.bad.reshape(-1, n_columns)
    foreground, edge_star = np.zeros(n_columns), np.zeros(n_columns)
    if settings.foreground != "off" and len(rows) > n_rows:
        mean = np.concatenate([trace.mean(axis=0, dtype=np.float64), frames.rest.reshape(-1, n_columns)])
        foreground, edge_star = estimate_trace_foreground(
            mean,
            rows,
            edge=np.arange(len(rows)) >= n_rows,
            bad=bad,
            remove_wing=settings.foreground == "wing_removed",
        )
    trace = trace - foreground.astype(np.float32)
    lost, rows = bad[:n_rows], rows[:n_rows]
    read_noise = frames.read_noise.reshape(-1, n_columns)[:n_rows]
    saturated = frames.saturated.reshape(-1, n_columns)[:n_rows]
    share = np.zeros(n_columns)
    if saturated.any():
        light = np.maximum(trace.mean(axis=0, dtype=np.float64), 0.0)
        share = (light * saturated).sum(axis=0) / np.maximum(light.sum(axis=0), 1e-12)
    if lost.any():
        DispersionFill.plan(trace.mean(axis=0), lost).apply(trace)
    dropped = too_wide_to_fill(saturated)
    trace[:, dropped] = 0.0
    mean = trace.mean(axis=0, dtype=np.float64)
    variance = np.where(dropped, 0.0, np.maximum(mean + foreground, 0.0) + read_noise**2)
    if settings.airs_extraction == "optimal":
        weight = np.where(dropped, 0.0, optimal_weights(mean, np.where(dropped, 1.0, variance)))
        flux = np.einsum("trc,rc->tc", trace, weight.astype(np.float32))
    else:
        weight = (~dropped).astype(np.float64)
        flux = trace.sum(axis=1)
    noise = np.sqrt((weight**2 * variance).sum(axis=0))
    row = rows.astype(np.float64)
    profile = trace.sum(axis=2, dtype=np.float64)
    total = profile.sum(axis=1)
    centroid = (profile * row).sum(axis=1) / total
    width = (profile * (row - centroid.mean()) ** 2).sum(axis=1) / total
    return Trace(
        flux=flux,
        predicted_noise=noise,
        centroid=centroid,
        width=width,
        foreground=foreground,
        edge_star_light=edge_star,
        per_pixel=weight.sum(axis=0),
        saturated_share=share,
    )
