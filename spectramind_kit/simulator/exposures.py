"""A stretch of frames of one visit, in memory: for tests and figures of the detector level."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.simulator.calibration_maps import DetectorMaps, calibration_products
from spectramind_kit.simulator.constants import AIRS, FGS1, Sensor
from spectramind_kit.simulator.frames import simulate_frames
from spectramind_kit.simulator.jitter import draw_path
from spectramind_kit.simulator.noise_model import WINDOW
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import VisitTruth


@dataclass(frozen=True)
class Exposures:
    frames: np.ndarray  # (2·n, rows·columns) uint16 raw reads
    electrons: np.ndarray  # (n, rows, columns) CDS frames, e⁻, calibrated with the files' maps


def simulate_exposures(
    visit: VisitTruth,
    maps: DetectorMaps,
    sensor: Sensor,
    *,
    pairs: slice,
    seed: int,
    settings: Settings = Settings(cadence="full"),
) -> Exposures:
    """The pairs ``pairs`` of a visit, raw and calibrated."""
    rng = np.random.default_rng([seed, 11])
    path = draw_path(rng)
    frames = simulate_frames(visit, maps, sensor, settings=settings, rng=rng, path=path, pairs=pairs)
    return Exposures(frames, calibrate_with_maps(frames, maps, sensor, settings=settings))


def calibrate_with_maps(
    frames: np.ndarray, maps: DetectorMaps, sensor: Sensor, *, settings: Settings
) -> np.ndarray:
    """(n, rows, columns) e⁻: ADC, linearity, dark, difference of the reads, flat; dead pixels are NaN.

    The effects undone one by one, as an inverse of this simulator: stage 1 of the kit is written without it.
    """
    products = calibration_products(maps, settings.effects)
    electrons = frames.reshape(-1, *sensor.shape) / settings.adc_gain + settings.adc_offset
    linear = np.zeros_like(electrons)
    for coefficient in products["linear_corr"].reshape(-1, *sensor.shape)[::-1]:
        linear = linear * electrons + coefficient
    linear[0::2] -= products["dark"] * sensor.first_s
    linear[1::2] -= products["dark"] * sensor.last_s
    difference = linear[1::2] - linear[0::2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(products["dead"], np.nan, difference / products["flat"])


def star_only(visit: VisitTruth, *, fgs1: float | None = None, airs: float | None = None) -> VisitTruth:
    """The visit without its planet; ``fgs1``, ``airs`` set the level, e⁻ per exposure (AIRS: the cut)."""
    level = visit.level.copy()
    if fgs1 is not None:
        level[0] = fgs1 / FGS1.exposure_s
    if airs is not None:
        level[1:] *= airs / AIRS.exposure_s / level[1:][AIRS.cut].sum()
    return replace(visit, depth=np.full_like(visit.depth, 1e-10), level=level)


def fgs1_centroids(electrons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum (n,) over the window, and centroid x and y (n,), px, of FGS1 exposures (n, rows, columns)."""
    window, grid = electrons[:, WINDOW, WINDOW], np.arange(WINDOW.start, WINDOW.stop)
    total = window.sum((1, 2))
    return total, (window * grid).sum((1, 2)) / total, (window * grid[:, None]).sum((1, 2)) / total
