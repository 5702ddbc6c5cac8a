from __future__ import annotations

import pytest
import torch

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.transit import DepthMeasurement, measure_depths
from tests.transit.synthetic import Planet, make_light_curve, make_planet

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def planet() -> Planet:
    return make_planet(1)


@pytest.fixture(scope="session")
def curve(planet: Planet) -> LightCurve:
    """A clean visit of the planet; never changed in place."""
    return make_light_curve(planet, seed=1)


@pytest.fixture(scope="session")
def measurement(planet: Planet, curve: LightCurve) -> DepthMeasurement:
    """Of that visit alone."""
    return measure_depths([curve], planet.star)
