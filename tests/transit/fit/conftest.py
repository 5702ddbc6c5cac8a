from __future__ import annotations

import pytest

from spectramind_kit.transit import AnchorSettings, NuisancePrior
from spectramind_kit.transit.fit.first_states import fit_problem
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import Assumptions, FitProblem
from spectramind_kit.transit.likelihood.visit_data import into_bands
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet


@pytest.fixture(scope="session")
def assumptions() -> Assumptions:
    settings = AnchorSettings()
    return Assumptions(settings, NuisancePrior.from_settings(settings))


@pytest.fixture(scope="session")
def cases(assumptions: Assumptions) -> list[PlanetCase]:
    """Two planets with two visits each."""
    made = []
    for seed in (1, 2):
        planet = make_planet(seed)
        curves = [make_light_curve(planet, seed=seed, visit=visit, n_times=94) for visit in (0, 1)]
        made.append(PlanetCase.of(curves, planet.star, settings=assumptions.settings))
    return made


@pytest.fixture(scope="session")
def problem(cases: list[PlanetCase], assumptions: Assumptions) -> FitProblem:
    """Of these planets in six bands; never changed in place."""
    banded = [[into_bands(visit, WAVELENGTH, 6) for visit in case.visits] for case in cases]
    visits = [[band for band, _ in own] for own in banded]
    return fit_problem(cases, visits, banded[0][0][1], assumptions)
