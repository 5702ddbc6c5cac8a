"""From binned AIRS-CH0 frames to a flux per wavelength: fill, foreground, sum across the dispersion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.dispersion_fill import DispersionFill, too_wide_to_fill
from spectramind_kit.detector.foreground import Foreground
from spectramind_kit.detector.optimal_weights import optimal_weights
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.visit_frames import CalibratedFrames


@dataclass(frozen=True)
class Trace:
    """AIRS-CH0 summed across the dispersion: T bins, C columns in detector order."""

    flux: np.ndarray  # (T, C) e⁻ per exposure
    predicted_noise: np.ndarray  # (C,) σ of one exposure from shot and read noise
    centroid: np.ndarray  # (T,) row of the trace
    foreground: np.ndarray  # (C,) e⁻ per pixel and exposure
    edge_star_light: np.ndarray  # (C,) of the star in an edge pixel, in the same unit
    per_pixel: np.ndarray  # (C,) what one e⁻ in every pixel adds to the flux
    saturated_share: np.ndarray  # (C,) at least this part of a column's light fell into saturated pixels
    jitter_explained: float = 0.0  # share of the local variance


def extract_trace(frames: CalibratedFrames, foreground: Foreground, *, settings: DetectorSettings) -> Trace:
    """Sum the trace of calibrated AIRS-CH0 frames (`calibrate_visit`, bins or exposures), without the
    foreground (`trace_foreground`)."""
    n_rows, n_columns = frames.selection.grid
    rows = frames.selection.row.reshape(-1, n_columns)[:n_rows, 0].astype(np.float64)
    bad, read_noise, saturated = (
        values.reshape(-1, n_columns)[:n_rows] for values in (frames.bad, frames.read_noise, frames.saturated)
    )
    trace = frames.images - foreground.level.astype(np.float32)
    light = np.maximum(trace.mean(axis=0, dtype=np.float64), 0.0)
    share = (light * saturated).sum(axis=0) / np.maximum(light.sum(axis=0), 1e-12)
    if bad.any():
        DispersionFill.plan(trace.mean(axis=0), bad).apply(trace)
    dropped = too_wide_to_fill(saturated)
    trace[:, dropped] = 0.0
    mean = trace.mean(axis=0, dtype=np.float64)
    variance = np.where(dropped, 0.0, np.maximum(mean + foreground.level, 0.0) + read_noise**2)
    if settings.airs_extraction == "optimal":
        weight = np.where(dropped, 0.0, optimal_weights(mean, np.where(dropped, 1.0, variance)))
        flux = np.einsum("trc,rc->tc", trace, weight.astype(np.float32))
    else:
        weight = (~dropped).astype(np.float64)
        flux = trace.sum(axis=1)
    profile = trace.sum(axis=2, dtype=np.float64)
    return Trace(
        flux=flux,
        predicted_noise=np.sqrt((weight**2 * variance).sum(axis=0)),
        centroid=(profile * rows).sum(axis=1) / profile.sum(axis=1),
        foreground=foreground.level,
        edge_star_light=foreground.star_light,
        per_pixel=weight.sum(axis=0),
        saturated_share=share,
    )
