"""Measured planets with labels for the tests of priors and anchor; made once, never changed in place."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from spectramind_kit.transit import DepthMeasurement, measure_together
from tests.transit.synthetic import make_light_curve, make_planet

torch.set_num_threads(1)


def spectra(n: int) -> np.ndarray:
    """Depths (n, 283)."""
    return np.array([make_planet(seed).depth for seed in range(n)])


@cache
def honest(n: int = 40) -> tuple[list[DepthMeasurement], np.ndarray]:
    """Planets whose light curves show their labels (n, 283)."""
    return _measured(n, lambda k: 1.0)


@cache
def mismatched() -> tuple[list[DepthMeasurement], np.ndarray]:
    """40 planets; every third shows a depth that is 1 % off its label, FGS1 2 %."""
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 40)
    off = np.where(np.arange(283) == 0, 0.02, 0.01)
    return _measured(40, lambda k: 1.0 + (k % 3 == 0) * signs[k] * off)


def train() -> tuple[list[DepthMeasurement], np.ndarray]:
    """Sixteen of the honest ones."""
    measurements, depths = honest()
    return measurements[:16], depths[:16]


def _measured(n: int, factor) -> tuple[list[DepthMeasurement], np.ndarray]:
    planets = [make_planet(seed) for seed in range(n)]
    curves = [
        make_light_curve(p, seed=k, depth=p.depth * factor(k), planet_id=k) for k, p in enumerate(planets)
    ]
    return measure_together([([c], p.star) for c, p in zip(curves, planets)]), spectra(n)
