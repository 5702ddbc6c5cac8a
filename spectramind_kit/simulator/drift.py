"""Gain drift: a slow change of the sensor's response, 1 + f(t)·g(λ)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import VISIT_H


@dataclass(frozen=True)
class Drift:
    """f(end) − f(start) is about 1: the response is what the gain changes by over the visit."""

    time_coefficients: np.ndarray  # (5,) of Legendre polynomials in t mapped to [−1, 1]
    wavelength_response: np.ndarray  # (357,) on the simulator's grid

    def time_course(self, time_h: np.ndarray) -> np.ndarray:
        """f(t), shape of ``time_h``."""
        return np.polynomial.legendre.legval(2.0 * time_h / VISIT_H - 1.0, self.time_coefficients)

    def factor(self, time_h: np.ndarray) -> np.ndarray:
        """(T, 357) gain relative to its mean over the visit."""
        return 1.0 + self.time_course(time_h)[:, None] * self.wavelength_response[None, :]


def draw_drift(rng: np.random.Generator, wavelength_um: np.ndarray) -> Drift:
    """One visit's drift.

    f is mostly a slope with curvature of degrees 2 to 4; g has a small common part (white AIRS ≈ 0.02 % peak
    to peak), a tilt and curvature that change sign along the spectrum (about ±500 ppm from start to end), and
    a value of its own for FGS1 (0.04–0.07 % peak to peak).
    """
    shape = np.array([0.0, 0.5, *(rng.normal(0.0, [0.12, 0.08, 0.05]))])
    x = (wavelength_um[1:] - 2.92) / 0.97
    response = np.zeros(len(wavelength_um))
    amplitude = 4.2e-4 * np.exp(0.3 * rng.standard_normal())
    tilt = np.array([0.0, 1.0, *(rng.normal(0.0, [0.25, 0.15, 0.10]))])
    # The tilt is about the flux-weighted middle of the band (blue is brighter): white AIRS hardly sees it.
    curve = np.polynomial.legendre.legval(np.clip(x, -1.3, 1.3) + 0.27, tilt)
    common = rng.choice([-1.0, 1.0]) * 1.8e-4 * np.exp(0.4 * rng.standard_normal())
    response[1:] = rng.choice([-1.0, 1.0]) * amplitude * curve + common
    response[0] = rng.choice([-1.0, 1.0]) * rng.uniform(3.5e-4, 6.5e-4)
    return Drift(time_coefficients=shape, wavelength_response=response)
