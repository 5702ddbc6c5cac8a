"""The detector's maps: what is true of its pixels, and what the calibration files say about them.

Statistics of the draws follow one real set of the competition (dark, flat, dead, read noise, six linearity
coefficients). Train visits share two sets; every test planet takes one of eight others, which are worse: more
hot and dead pixels, flats down to 0.57, and larger errors of measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import Sensor
from spectramind_kit.simulator.settings import Effects
from spectramind_kit.simulator.stars_planets import SPLITS

SETS = {"train": 2, "test": 8}
LINEARITY_RANGE_E = 75_000.0
MEAN_READ_VARIANCE_E2 = 182.0  # mean of σ² over the bulk of pixels; the few very noisy ones come on top

# Per sensor: dark e⁻/s (mean, σ), flat (mean, σ), share of dead pixels in train, linearity c2…c5 (mean, σ).
_STATISTICS = {
    "AIRS-CH0": (
        (0.0063, 0.0014),
        (1.0140, 0.0122),
        0.0011,
        (4e-9, 6.2e-8),
        (1.18e-11, 1.2e-12),
        (-6.0e-17, 9e-18),
        (1.335e-22, 1.9e-23),
    ),
    "FGS1": (
        (0.0069, 0.0014),
        (1.0079, 0.0132),
        0.0029,
        (8e-9, 5.4e-8),
        (8.45e-12, 1.05e-12),
        (-3.6e-17, 7e-18),
        (6.6e-23, 1.0e-23),
    ),
}


@dataclass(frozen=True)
class DetectorMaps:
    """True maps and their measurement. Images (rows, columns); ``linearity`` (6, rows, columns) maps measured
    to true e⁻.

    ``delinearity`` (6, rows, columns) is the inverse polynomial, true to measured, in units of
    LINEARITY_RANGE_E. ``response`` is the true flat, about 0 in dead pixels; ``flat`` what the file says.
    """

    dark_rate: np.ndarray
    response: np.ndarray
    read_noise: np.ndarray
    linearity: np.ndarray
    delinearity: np.ndarray
    dead_mask: np.ndarray
    dark_file: np.ndarray
    flat_file: np.ndarray
    read_file: np.ndarray


def draw_maps(seed: int, split: str, number: int, sensor: Sensor) -> DetectorMaps:
    """Set ``number`` of a split for one sensor; the same arguments always give the same maps."""
    key = [seed, 7_001, SPLITS.index(split), number, sum(map(ord, sensor.name))]
    rng = np.random.default_rng(np.random.SeedSequence(key))
    shape = (sensor.rows, sensor.columns)
    (dark_mean, dark_sigma), (flat_mean, flat_sigma), dead_share, *higher = _STATISTICS[sensor.name]
    worse = split == "test"
    hot_share = rng.uniform(0.008, 0.017) if worse else 0.0075
    dead_share = rng.uniform(0.003, 0.011) if worse else dead_share

    dark = rng.normal(dark_mean, dark_sigma, shape)
    hot = rng.random(shape) < hot_share
    dark[hot] += np.minimum(10.0 ** rng.normal(-1.8, 0.9, hot.sum()), 12.0)
    response = rng.normal(flat_mean, flat_sigma, shape)
    weak = rng.random(shape) < (0.004 if worse else 0.0008)
    response[weak] = rng.uniform(0.57 if worse else 0.88, 0.97, weak.sum())
    dead = rng.random(shape) < dead_share
    response[dead] = np.abs(rng.normal(0.0, 0.004, dead.sum()))
    read = 11.8 + rng.gamma(6.0, 0.19, shape)
    noisy = rng.random(shape) < 0.16
    read[noisy] += np.minimum(np.exp(rng.normal(1.0, 1.15, noisy.sum())), 140.0)

    error = 2.0 if worse else 1.0
    linearity = _draw_linearity(rng, shape, higher, dead)
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
    """The five calibration files, by product. An effect that is switched off has a file that says so: the
    calibration of a detector without non-linearity must not correct one."""
    rows, columns = maps.dead_mask.shape
    linearity = maps.linearity
    if not effects.nonlinearity:
        linearity = np.zeros_like(linearity)
        linearity[1] = 1.0
    flat = maps.flat_file if effects.flat_field else np.where(maps.dead_mask, maps.flat_file, 1.0)
    dead = maps.dead_mask
    if not effects.dead_pixels:
        flat, dead = np.where(dead, 1.0, flat), np.zeros_like(dead)
    return {
        "dark": maps.dark_file if effects.dark else np.zeros((rows, columns)),
        "dead": dead,
        "flat": flat,
        "linear_corr": linearity.reshape(-1, columns),
        "read": maps.read_file,
    }


def set_of_planet(rng: np.random.Generator, split: str) -> int:
    """Which set a visit was calibrated with."""
    return int(rng.integers(SETS[split]))


def _draw_linearity(rng, shape, higher, dead) -> np.ndarray:
    """(6, rows, columns): c0 a fraction of an electron, c1 = 1 ± 0.005, c2…c5 the upturn of 0.3 % at 20 k and
    3 % at 60 k e⁻."""
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


def invert_polynomials(coefficients: np.ndarray, *, high: float = LINEARITY_RANGE_E) -> np.ndarray:
    """(6, …) polynomials q with q(true/high)·high ≈ measured where p(measured) = true, by least squares on 24
    nodes per pixel.

    The residual stays below 0.05 e⁻ over 0 … 75 k e⁻ for pixels that are not dead (tests).
    """
    flat = coefficients.reshape(len(coefficients), -1)
    measured = high * 0.5 * (1.0 - np.cos(np.pi * (np.arange(24) + 0.5) / 24))
    nodes = np.vander(measured / high, len(flat), increasing=True)
    true = (np.vander(measured, len(flat), increasing=True) @ flat) / high  # (24, pixels)
    # For every pixel fit measured as a polynomial of true: batched 6×6 normal equations would lose digits, so
    # use QR by lstsq.
    design = true.T[:, :, None] ** np.arange(len(flat))  # (pixels, 24, 6)
    target = np.broadcast_to(nodes[:, 1], true.T.shape)
    q, r = np.linalg.qr(design)
    solution = np.linalg.solve(r, np.einsum("pij,pi->pj", q, target)[..., None])[..., 0]
    return solution.T.reshape(coefficients.shape)
