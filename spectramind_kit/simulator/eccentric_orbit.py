"""Separation of star and planet on an eccentric orbit (Winn 2010, arXiv:1001.2010, eq. 2–7 and 20)."""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator.stars_planets import Planet

_ITERATIONS = 12  # Newton's: 1e-12 rad below an eccentricity of 0.5


def eccentric_separation(time_h: np.ndarray, planet: Planet, mid_transit_time: float) -> np.ndarray:
    """(T,) in stellar radii; beyond the star (2 and more) where the planet is behind it."""
    e, omega = planet.eccentricity, np.radians(planet.periastron_deg)
    at_transit = np.pi / 2.0 - omega  # true anomaly
    eccentric = 2.0 * np.arctan(np.sqrt((1.0 - e) / (1.0 + e)) * np.tan(at_transit / 2.0))
    mean = (
        2.0 * np.pi * (time_h - mid_transit_time) / (24.0 * planet.period_d)
        + eccentric
        - e * np.sin(eccentric)
    )
    anomaly = mean.copy()
    for _ in range(_ITERATIONS):
        anomaly -= (anomaly - e * np.sin(anomaly) - mean) / (1.0 - e * np.cos(anomaly))
    true = 2.0 * np.arctan(np.sqrt((1.0 + e) / (1.0 - e)) * np.tan(anomaly / 2.0))
    distance = planet.semi_major_axis * (1.0 - e**2) / (1.0 + e * np.cos(true))
    sine = np.sin(omega + true)
    separation = distance * np.sqrt(1.0 - (sine * np.sin(np.radians(planet.inclination_deg))) ** 2)
    return np.where(sine > 0.0, separation, separation + 2.0)
