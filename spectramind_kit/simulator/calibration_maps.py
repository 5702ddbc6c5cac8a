"""The detector's maps: what is true of its pixels, and what the calibration files say about them.

Statistics of the draws follow one real set of the competition (dark, flat, dead, read noise, six linearity
coefficients). Train visits share two sets; every test planet takes one of eight others, which are worse: more
hot and dead pixels, flats down to 0.57, and larger errors of measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spectramind_kit.detector.layout import SPLITS
from spectramind_kit.simulator.constants import SENSORS, Sensor
from spectramind_kit.simulator.settings import Effects
from spectramind_kit.simulator.streams import MAPS, planet_generator

SETS = {"train": 2, "test": 8}
LINEARITY_RANGE_E = 75_000.0
MEAN_READ_VARIANCE_E2 = 182.0  # mean of σ² over the bulk of pixels; the few very noisy ones come on top


@dataclass(frozen=True)
class _Statistics:
    """Mean and σ of the bulk of a sensor's pixels."""

    dark: tuple[float, float]  # e⁻/s
    flat: tuple[float, float]
    dead_share: float  # in train
    linearity: tuple[tuple[float, float], ...]  # c2 … c5, e⁻ to the power 1 − k


_STATISTICS = {
    "AIRS-CH0": _Statistics(
        dark=(0.0063, 0.0014),
        flat=(1.0140, 0.0122),
        dead_share=0.0011,
        linearity=((4e-9, 6.2e-8), (1.18e-11, 1.2e-12), (-6.0e-17, 9e-18), (1.335e-22, 1.9e-23)),
    ),
    "FGS1": _Statistics(
        dark=(0.0069, 0.0014),
        flat=(1.0079, 0.0132),
        dead_share=0.0029,
        linearity=((8e-9, 5.4e-8), (8.45e-12, 1.05e-12), (-3.6e-17, 7e-18), (6.6e-23, 1.0e-23)),
    ),
}


@dataclass(frozen=True)
class DetectorMaps:
    """True maps and their measurement, (rows, columns) each."""

    dark_rate: np.ndarray  # e⁻/s
    response: np.ndarray  # the true flat, about 0 in dead pixels
    read_noise: np.ndarray  # e⁻
    linearity: np.ndarray  # (6, rows, columns) coefficients, measured to true e⁻
    delinearity: np.ndarray  # (6, rows, columns) true to measured, in units of LINEARITY_RANGE_E
    dead_mask: np.ndarray  # bool
    dark_file: np.ndarray  # what the calibration files say
    flat_file: np.ndarray
    read_file: np.ndarray


def draw_maps(seed: int, split: str, number: int, sensor: Sensor) -> DetectorMaps:
    """Set ``number`` of a split for one sensor; the same arguments always give the same maps."""
    key = [seed, 7_001, SPLITS.index(split), number, sum(map(ord, sensor.name))]
    rng = np.random.default_rng(np.random.SeedSequence(key))
    shape, usual = sensor.shape, _STATISTICS[sensor.name]
    worse = split == "test"
    hot_share = rng.uniform(0.008, 0.017) if worse else 0.0075
    dead_share = rng.uniform(0.003, 0.011) if worse else usual.dead_share

    dark = rng.normal(*usual.dark, shape)
    hot = rng.random(shape) < hot_share
    dark[hot] += np.minimum(10.0 ** rng.normal(-1.8, 0.9, hot.sum()), 12.0)
    response = rng.normal(*usual.flat, shape)
    weak = rng.random(shape) < (0.004 if worse else 0.0008)
    response[weak] = rng.uniform(0.57 if worse else 0.88, 0.97, weak.sum())
    dead = rng.random(shape) < dead_share
    response[dead] = np.abs(rng.normal(0.0, 0.004, dead.sum()))
    read = 11.8 + rng.gamma(6.0, 0.19, shape)
    noisy = rng.random(shape) < 0.16
    read[noisy] += np.minimum(np.exp(rng.normal(1.0, 1.15, noisy.sum())), 140.0)

    error = 2.0 if worse else 1.0
    linearity = _draw_linearity(rng, usual.linearity, dead)
    flat_file = response * (1.0 + 5e-4 * error * rng.standard_normal(shape))
    flat_file[dead] = rng.normal(0.0, 0.02, dead.sum())
    return DetectorMaps(
        dark_rate=np.maximum(dark, 0.0),
        response=response,
        read_noise=read,
        linearity=linearity,
        delinearity=invert_polynomials(linearity),
        dead_mask=dead,
        dark_file=dark + 2e-4 * error * rng.standard_normal(shape),
        flat_file=flat_file,
        read_file=read * (1.0 + 0.01 * error * rng.standard_normal(shape)),
    )


def calibration_products(maps: DetectorMaps, effects: Effects) -> dict[str, np.ndarray]:
    """The five calibration files, by product.

    An effect that is switched off has a file that says so: the calibration of a detector without
    non-linearity must not correct one.
    """
    linearity = maps.linearity
    if not effects.nonlinearity:
        linearity = np.zeros_like(linearity)
        linearity[1] = 1.0
    flat = maps.flat_file if effects.flat_field else np.where(maps.dead_mask, maps.flat_file, 1.0)
    dead = maps.dead_mask
    if not effects.dead_pixels:
        flat, dead = np.where(dead, 1.0, flat), np.zeros_like(dead)
    return {
        "dark": maps.dark_file if effects.dark else np.zeros_like(maps.dark_file),
        "dead": dead,
        "flat": flat,
        "linear_corr": linearity.reshape(-1, dead.shape[1]),
        "read": maps.read_file,
    }


def maps_of_visit(seed: int, split: str, index: int, visit: int) -> tuple[DetectorMaps, ...]:
    """The detectors (AIRS-CH0, FGS1) that a visit was made with."""
    rng = planet_generator(seed, split, index, purpose=MAPS + visit)
    return _both_sensors(seed, split, int(rng.integers(SETS[split])))


@lru_cache(maxsize=12)
def _both_sensors(seed: int, split: str, number: int) -> tuple[DetectorMaps, ...]:
    return tuple(draw_maps(seed, split, number, sensor) for sensor in SENSORS)


def _draw_linearity(rng, higher, dead: np.ndarray) -> np.ndarray:
    """(6, rows, columns): c0 a fraction of an electron, c1 = 1 ± 0.005, c2…c5 the upturn (3 % at 60 k e⁻)."""
    shape = dead.shape
    coefficients = np.empty((6, *shape))
    coefficients[0] = rng.uniform(-0.15, 0.58, shape)
    coefficients[1] = np.clip(rng.normal(1.0, 0.005, shape), 0.981, 1.02)
    # the higher orders come from one fit per pixel: they rise and fall together
    common = rng.standard_normal(shape)
    for k, ((mean, sigma), sign) in enumerate(zip(higher, (-1.0, 1.0, -1.0, 1.0), strict=True)):
        own = np.clip(0.97 * sign * common + 0.24 * rng.standard_normal(shape), -2.2, 2.2)
        coefficients[k + 2] = mean + sigma * own
    # Dead pixels have no ramp to fit: their coefficients are wild, but finite.
    coefficients[2][dead] *= 30.0
    coefficients[0][dead] += rng.uniform(0.0, 40.0, dead.sum())
    return coefficients


def invert_polynomials(coefficients: np.ndarray) -> np.ndarray:
    """(6, …) polynomials q with q(true/R)·R ≈ measured where p(measured) = true, R = LINEARITY_RANGE_E.

    By least squares on 24 nodes per pixel; the residual stays below 0.05 e⁻ over 0 … R for pixels that are
    not dead (tests).
    """
    flat = coefficients.reshape(len(coefficients), -1)
    measured = LINEARITY_RANGE_E * 0.5 * (1.0 - np.cos(np.pi * (np.arange(24) + 0.5) / 24))
    true = (np.vander(measured, len(flat), increasing=True) @ flat) / LINEARITY_RANGE_E  # (24, pixels)
    # For every pixel fit measured as a polynomial of true: batched 6×6 normal equations would lose digits, so
    # use QR by lstsq.
    design = true.T[:, :, None] ** np.arange(len(flat))  # (pixels, 24, 6)
    q, r = np.linalg.qr(design)
    target = np.broadcast_to(measured / LINEARITY_RANGE_E, true.T.shape)
    solution = np.linalg.solve(r, np.einsum("pij,pi->pj", q, target)[..., None])[..., 0]
    return solution.T.reshape(coefficients.shape)
