"""Gain drift: a slow change of the sensor's response, 1 + f(t)·g(λ)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import VISIT_H


@dataclass(frozen=True)
class Drift:
    """K courses in time, each with its response: f(end) − f(start) is about 1, so a response is a change of
    gain."""

    time_coefficients: np.ndarray  # (K, 5) of Legendre polynomials in t mapped to [−1, 1]
    wavelength_response: np.ndarray  # (K, 357) on the simulator's grid

    def factor(self, time_h: np.ndarray) -> np.ndarray:
        """(T, 357) gain relative to its mean over the visit."""
        courses = np.polynomial.legendre.legval(2.0 * time_h / VISIT_H - 1.0, self.time_coefficients.T)
        return 1.0 + courses.T @ self.wavelength_response


def draw_drift(rng: np.random.Generator, wavelength_um: np.ndarray, *, kind: str) -> Drift:
    """One visit's drift, ``measured`` or ``small``."""
    return {"measured": _measured_drift, "small": _small_drift}[kind](rng, wavelength_um)


def _measured_drift(rng: np.random.Generator, wavelength_um: np.ndarray) -> Drift:
    """As large as real curves, tail included: docs/decisions.md D94.

    White AIRS changes by 100, 1,017 and 3,380 ppm peak to peak (5, 50, 95 % of 538 curves), FGS1 by 500 to
    2,400; the quadratic term is 0.6 of the linear one. The tilt along the spectrum has a course of its own.
    """
    courses = rng.standard_normal((2, 5)) * np.array([0.0, 0.5, 0.45, 0.12, 0.06])
    courses[:, 1] = 0.5 * np.sign(courses[:, 1])
    steps = np.polynomial.legendre.legval(np.linspace(-1.0, 1.0, 60), courses.T)
    courses /= np.ptp(steps, axis=1)[:, None]
    white, fgs1, tilt = rng.standard_normal(3)
    x = np.clip((wavelength_um[1:] - 2.92) / 0.97, -1.3, 1.3)
    response = np.zeros((2, len(wavelength_um)))
    response[0, 0] = rng.choice([-1.0, 1.0]) * 7.1e-4 * np.exp(0.7 * fgs1)
    response[0, 1:] = 1.017e-3 * np.exp((0.73 if white > 0 else 1.41) * white)
    shape = np.array([0.0, 1.0, *rng.normal(0.0, [0.25, 0.15, 0.10])])
    # about the flux-weighted middle of the band (blue is brighter)
    response[1, 1:] = 4.5e-4 * np.exp(0.6 * tilt) * np.polynomial.legendre.legval(x + 0.27, shape)
    return Drift(courses, response)


def _small_drift(rng: np.random.Generator, wavelength_um: np.ndarray) -> Drift:
    """What the first simulator had.

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
    return Drift(shape[None], response[None])
