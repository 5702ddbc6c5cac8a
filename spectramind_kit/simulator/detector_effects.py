"""What a detector does to light: one function per effect, in the hosts' order. The recipe is in ``frames``.

All act on accumulated electrons of the two reads of every ramp, float32: ``first`` just after reset, ``last``
at its end, each (T, rows, columns), in place. ``n`` is the number of real frames that one stored frame stands
for (1 at full cadence): a mean of n frames carries 1/√n of the noise.
"""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator.calibration_maps import LINEARITY_RANGE_E

# Assumed and measured: docs/decisions.md D61
FULL_WELL_E = 100_000.0
OVERFLOW = 1.2  # full wells, beyond which a pixel's charge is only known to be more than it holds
KTC_E = 3.0  # reset noise; the difference of the reads of one ramp is free of it
COSMIC_RATE = 1.0e-6  # hits per stored sample (pixel and read) at full cadence
COSMIC_E = (8.5, 1.0)  # mean and scatter of the logarithm of the charge of a hit: median 5 k e⁻


def add_flat_field(rate: np.ndarray, response: np.ndarray) -> np.ndarray:
    """rate × response, pixel by pixel; dead pixels have a response near 0."""
    rate *= response
    return rate


def add_nonlinearity(accumulated: np.ndarray, delinearity: np.ndarray) -> np.ndarray:
    """True to measured electrons by each pixel's inverse linearity polynomial (Horner).

    The polynomial holds up to the full well; far beyond it would turn round, and a very bright star look
    faint. There the result is above the full well, which `saturate` then cuts.
    """
    x = accumulated
    overflow = x > np.float32(OVERFLOW * FULL_WELL_E)
    x *= np.float32(1.0 / LINEARITY_RANGE_E)
    coefficients = (delinearity * LINEARITY_RANGE_E).astype(np.float32)
    result = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        result += coefficient
        result *= x
    result += coefficients[0]
    np.copyto(result, np.float32(OVERFLOW * FULL_WELL_E), where=overflow)
    np.copyto(accumulated, result)
    return accumulated


def add_dark(accumulated: np.ndarray, dark_rate: np.ndarray, time_s: float) -> np.ndarray:
    """+ dark rate × time since reset."""
    accumulated += (dark_rate * time_s).astype(np.float32)
    return accumulated


def add_shot_noise(first: np.ndarray, last: np.ndarray, rng: np.random.Generator, *, n: float) -> None:
    """Photon noise of a ramp: the last read keeps the first one's electrons, its increment is drawn anew.

    Gaussian with the Poisson variance: where few electrons fall, read noise hides the difference.
    """
    scale = np.float32(1.0 / np.sqrt(n))

    def draw(variance: np.ndarray) -> np.ndarray:
        np.maximum(variance, 0.0, out=variance)
        np.sqrt(variance, out=variance)
        variance *= rng.standard_normal(first.shape, dtype=np.float32)
        variance *= scale
        return variance

    increment = draw(last - first)
    noise = draw(first.copy())
    first += noise
    last += noise
    last += increment


def add_cosmic_rays(last: np.ndarray, rng: np.random.Generator, *, n: float) -> int:
    """Charge of hits during the ramp, spread over up to three neighbouring pixels; returns their number.

    A mean of n frames has n times the hits with 1/n of the charge each.
    """
    hits = int(rng.poisson(COSMIC_RATE * n * last.size))
    if hits:
        where = rng.integers(0, last.size, hits)
        charge = np.exp(rng.normal(*COSMIC_E, hits)) / n
        flat = last.reshape(-1)
        for share, step in ((0.8, 0), (0.15, 1), (0.05, last.shape[-1])):
            np.add.at(flat, np.minimum(where + step, last.size - 1), (share * charge).astype(np.float32))
    return hits


def add_ktc_noise(first: np.ndarray, last: np.ndarray, rng: np.random.Generator, *, n: float) -> None:
    """Reset noise, the same in both reads of a ramp."""
    noise = rng.standard_normal(first.shape, dtype=np.float32)
    noise *= np.float32(KTC_E / np.sqrt(n))
    first += noise
    last += noise


def saturate(accumulated: np.ndarray) -> np.ndarray:
    """No pixel holds more than the full well."""
    np.minimum(accumulated, np.float32(FULL_WELL_E), out=accumulated)
    return accumulated


def add_read_noise(
    accumulated: np.ndarray, read_noise: np.ndarray, rng: np.random.Generator, *, n: float
) -> np.ndarray:
    """Independent in every read; σ per pixel."""
    noise = rng.standard_normal(accumulated.shape, dtype=np.float32)
    noise *= (read_noise / np.sqrt(n)).astype(np.float32)
    accumulated += noise
    return accumulated


def digitise(accumulated: np.ndarray, *, gain: float, offset: float, floor: bool = True) -> np.ndarray:
    """ADU = floor((e − offset)·gain) as uint16, clipped at its ends; inverse: e = ADU / gain + offset."""
    accumulated -= np.float32(offset)
    accumulated *= np.float32(gain)
    if not floor:
        accumulated += np.float32(0.5)
    np.clip(accumulated, 0.0, 65535.0, out=accumulated)
    return accumulated.astype(np.uint16)  # the cast of a non-negative number floors
