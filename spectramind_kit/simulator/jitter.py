"""Pointing jitter: the path of the line of sight, and its means over exposures.

The path is a stationary Gaussian process drawn from its power spectrum: a damped oscillation of the fine-guidance loop near
0.25 Hz, which holds nearly all of the 0.10 px rms per 0.1 s and has no power at zero frequency, and a slow wander over minutes.
The split matters: with white jitter the FGS1 noise would average down to 720 ppm per 20 s instead of the real 418.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import FGS1

LOOP_HZ, LOOP_QUALITY, LOOP_RMS_PX = 0.25, 1.0, 0.10
WANDER_HZ, WANDER_RMS_PX = 1.0 / 600.0, 0.011


@dataclass(frozen=True)
class Pointing:
    """Means over each frame of the offset and its products, FGS1 pixels; each (T,)."""

    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    def scaled(self, plate_scale: float) -> Pointing:
        """The same pointing seen by a sensor with larger pixels."""
        return Pointing(self.x * plate_scale, self.y * plate_scale,
                        *(second * plate_scale**2 for second in (self.xx, self.yy, self.xy)))


def draw_path(rng: np.random.Generator, *, amplitude: float = 1.0) -> np.ndarray:
    """(2, 67500) FGS1 pixels: the line of sight at every FGS1 exposure (0.4 s)."""
    n = FGS1.pairs
    frequency = np.fft.rfftfreq(n, FGS1.period_s)
    loop = frequency**2 / ((frequency**2 - LOOP_HZ**2) ** 2 + (frequency * LOOP_HZ / LOOP_QUALITY) ** 2)
    wander = 1.0 / (1.0 + (frequency / WANDER_HZ) ** 2)
    wander[0] = 0.0
    path = np.zeros((2, n))
    for power, rms in ((loop, LOOP_RMS_PX), (wander, WANDER_RMS_PX)):
        weights = np.sqrt(power * (rms * amplitude) ** 2 / power.sum() / 2.0) * n / np.sqrt(2.0)
        real, imaginary = rng.standard_normal((2, 2, len(frequency)))
        path += np.fft.irfft(weights * (real + 1j * imaginary), n=n, axis=-1)
    return path


def pointing_of_frames(path: np.ndarray, n_frames: int) -> Pointing:
    """Means of the path over ``n_frames`` equal parts of the visit (a part need not be a whole number of exposures)."""
    x, y = path
    products = np.stack([x, y, x * x, y * y, x * y])
    n = path.shape[1]
    if n_frames == n:
        return Pointing(*products)
    cumulative = np.concatenate([np.zeros((5, 1)), np.cumsum(products, axis=1)], axis=1)
    edges = np.linspace(0.0, n, n_frames + 1)
    at_edges = np.stack([np.interp(edges, np.arange(n + 1), row) for row in cumulative])
    return Pointing(*(np.diff(at_edges, axis=1) * (n_frames / n)))
