"""Pointing jitter: the path of the line of sight, and its means over exposures.

The path is a stationary Gaussian process drawn from its power spectrum: a damped oscillation of the
fine-guidance loop near 0.25 Hz, which holds nearly all of the 0.10 px rms per 0.1 s and has no power at zero
frequency, and a slow wander over minutes.
The split matters: with white jitter the FGS1 noise would average down to 720 ppm per 20 s instead of the real
418 (docs/decisions.md D58).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import FGS1

LOOP_HZ, LOOP_QUALITY, LOOP_RMS_PX = 0.25, 1.0, 0.105
WANDER_HZ, WANDER_RMS_PX = 1.0 / 600.0, 0.0075


@dataclass(frozen=True)
class Pointing:
    """Means over each frame of the offset and its products, in pixels."""

    x: np.ndarray  # (T,), as all
    y: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    def scaled(self, plate_scale: float) -> Pointing:
        """The same pointing seen by a sensor with larger pixels."""
        first = (part * plate_scale for part in (self.x, self.y))
        second = (part * plate_scale**2 for part in (self.xx, self.yy, self.xy))
        return Pointing(*first, *second)


def draw_path(rng: np.random.Generator) -> np.ndarray:
    """(2, 67500) FGS1 pixels: the line of sight at every FGS1 exposure (0.4 s), which both sensors share."""
    n = FGS1.pairs
    power = _power(n)
    # rfft bins of a real series: each holds half its power, n²·power/2 split between real and imaginary part.
    real, imaginary = rng.standard_normal((2, 2, len(power)))
    return np.fft.irfft(np.sqrt(power / 4.0) * n * (real + 1j * imaginary), n=n, axis=-1)


def pointing_of_frames(path: np.ndarray, n_frames: int) -> Pointing:
    """Means of the path over ``n_frames`` equal parts of the visit, whole numbers of exposures or not."""
    x, y = path
    products = np.stack([x, y, x * x, y * y, x * y])
    n = path.shape[1]
    if n_frames == n:
        return Pointing(*products)
    cumulative = np.concatenate([np.zeros((5, 1)), np.cumsum(products, axis=1)], axis=1)
    edges = np.linspace(0.0, n, n_frames + 1)
    at_edges = np.stack([np.interp(edges, np.arange(n + 1), row) for row in cumulative])
    return Pointing(*(np.diff(at_edges, axis=1) * (n_frames / n)))


def _power(n: int) -> np.ndarray:
    """One axis' power per rfft frequency; sums to the variance (twice half the spectrum)."""
    frequency = np.fft.rfftfreq(n, FGS1.period_s)
    loop = frequency**2 / ((frequency**2 - LOOP_HZ**2) ** 2 + (frequency * LOOP_HZ / LOOP_QUALITY) ** 2)
    wander = 1.0 / (1.0 + (frequency / WANDER_HZ) ** 2)
    wander[0] = 0.0
    return loop * LOOP_RMS_PX**2 / loop.sum() + wander * WANDER_RMS_PX**2 / wander.sum()
