"""Real against simulated: frames of stars as bright as the real ones that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.robust import mad_sigma
from spectramind_kit.simulator.calibration_maps import DetectorMaps
from spectramind_kit.simulator.comparison import Row, number, spread
from spectramind_kit.simulator.constants import AIRS, SENSORS
from spectramind_kit.simulator.exposures import Exposures, fgs1_centroids, simulate_exposures, star_only
from spectramind_kit.simulator.noise_model import ROWS, WINDOW
from spectramind_kit.simulator.visit import PixelResponse, VisitTruth

_REAL_PROFILE = (  # AIRS-CH0, rows 10 … 21
    *(0.0066, 0.0124, 0.0227, 0.0429, 0.1217, 0.2482),
    *(0.2692, 0.1449, 0.0411, 0.0222, 0.0175, 0.0084),
)


def reference_rows(visit: VisitTruth, maps: Sequence[DetectorMaps], *, seed: int, quick: bool) -> list[Row]:
    """Frames at full cadence of stars as bright as the two real ones whose frames were measured.

    The numbers per exposure are those of the one with 16.26 M e⁻ (AIRS) and 221 k e⁻ (FGS1), the binned ones
    agree with the photons of the other: 13 M and 310 k e⁻. Their pixel response is set to the size of the
    slope that the real frames show.
    """
    visit = replace(visit, response=PixelResponse(0.03, 0.02, -0.05, -0.05), jitter_amplitude=1.0)
    counts = (100, 4000) if quick else (500, 16000)
    rows = []
    for fgs1, airs, measures in (
        (2.21e5, 1.626e7, (_airs_rows, _fgs1_rows)),
        (3.1e5, 1.3e7, (_airs_binned_rows, _fgs1_binned_rows)),
    ):
        star = star_only(visit, fgs1=fgs1, airs=airs)
        for sensor, sensor_maps, count, measure in zip(SENSORS, maps, counts, measures, strict=True):
            rows += measure(simulate_exposures(star, sensor_maps, sensor, pairs=slice(0, count), seed=seed))
    return rows


def _airs_rows(exposures: Exposures) -> list[Row]:
    cube = _repaired(exposures.electrons)[:, :, AIRS.cut]
    mean = cube.mean(0)
    column = mean.sum(0) / 1000.0
    profile = (mean / mean.sum(0)).mean(1)
    lumpy = "the real PSF is lumpier than a core, a ring and wings"
    summed = 100 * profile[ROWS].sum() / profile.sum()
    return [
        *(
            number(f"AIRS profile, row {row}", real, float(profile[row]), reason=lumpy)
            for row, real in enumerate(_REAL_PROFILE, start=10)
        ),
        number("AIRS rows 8:24, % of the light", 97.6, float(summed)),
        number("AIRS column at 3.9 µm, k e⁻ per 4.5 s", 5.0, float(column[0])),
        number("AIRS column, largest, k e⁻ per 4.5 s", 160.0, float(column.max())),
        number("AIRS peak pixel, k e⁻", 58.0, float(mean.max() / 1000.0)),
        number("largest ADU", 27000, float(np.percentile(exposures.frames, 99.999))),
        number("AIRS total rms per exposure, ppm", 265.0, 1e6 * _scatter(cube[:, ROWS].sum((1, 2)))),
    ]


def _airs_binned_rows(exposures: Exposures) -> list[Row]:
    column = _repaired(exposures.electrons)[:, ROWS, AIRS.cut].sum(1)
    by_wavelength = 100 * _scatter(_means(column, 5))
    return [
        number("AIRS white rms per 24 s, ppm", 134.0, 1e6 * _scatter(_means(column.sum(1), 5))),
        number("AIRS rms per wavelength and 24 s, median %", 0.28, float(np.median(by_wavelength))),
        spread("AIRS rms per wavelength and 24 s, %", (0.13, 1.0), by_wavelength),
    ]


def _fgs1_rows(exposures: Exposures) -> list[Row]:
    cube = _repaired(exposures.electrons)
    (total, x, y), mean = fgs1_centroids(cube), cube.mean(0)
    summed = 100 * mean[WINDOW, WINDOW].sum() / mean.sum()
    return [
        number("FGS1 [8:24, 8:24], % of the light", 96.9, float(summed)),
        number("FGS1 peak pixel, % of the light", 9.8, float(100 * mean.max() / mean.sum())),
        number("FGS1 peak pixel, k e⁻", 22.0, float(mean.max() / 1e3)),
        number("FGS1 centre, row", 15.4, float(y.mean())),
        number("FGS1 centre, column", 15.3, float(x.mean())),
        number("pointing rms per 0.1 s, px", 0.10, float(np.sqrt((x.var() + y.var()) / 2))),
        number("FGS1 total rms per exposure, ppm", 5096.0, 1e6 * float(total.std() / total.mean())),
    ]


def _fgs1_binned_rows(exposures: Exposures) -> list[Row]:
    total, x, y = fgs1_centroids(_repaired(exposures.electrons))
    dx, dy = x - x.mean(), y - y.mean()
    design = np.stack([np.ones_like(dx), dx, dy, dx * dx, dy * dy, dx * dy], axis=1)
    modelled = total - design @ np.linalg.lstsq(design, total, rcond=None)[0] + total.mean()
    return [
        number("FGS1 rms per 20 s without a jitter model, ppm", 418.0, 1e6 * _scatter(_means(total, 50))),
        number("FGS1 rms per 20 s with a jitter model, ppm", 294.0, 1e6 * _scatter(_means(modelled, 50))),
    ]


def _repaired(electrons: np.ndarray) -> np.ndarray:
    """Dead pixels from their row's neighbours; samples 8σ off their pixel's median (cosmic rays) by it."""
    cube = electrons.copy()
    for row, column in np.argwhere(np.isnan(cube[0])):
        near = slice(max(0, column - 2), column + 3)
        known = ~np.isnan(electrons[0, row, near])
        cube[:, row, column] = electrons[:, row, near][:, known].mean(1)
    middle = np.median(cube, axis=0)
    hit = np.abs(cube - middle) > 8 * mad_sigma(cube, axis=0, centre=middle) + 1.0
    return np.where(hit, middle, cube)


def _means(series: np.ndarray, n: int) -> np.ndarray:
    count = len(series) // n
    return series[: count * n].reshape(count, n, *series.shape[1:]).mean(1)


def _scatter(series: np.ndarray):
    """Relative rms from differences of neighbours: blind to drift."""
    return np.diff(series, axis=0).std(0) / np.sqrt(2.0) / series.mean(0)
