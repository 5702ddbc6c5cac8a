"""Small simulations that several tests read; made once per session."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Three train planets (one with two visits) and two test planets, reduced cadence."""
    from spectramind_kit.simulator import Settings, simulate_competition

    return simulate_competition(
        tmp_path_factory.mktemp("small"),
        n_train=3,
        n_test=2,
        seed=12,
        jobs=2,
        settings=Settings(two_visit_fraction=0.4),
    )


@pytest.fixture(scope="session")
def quiet(tmp_path_factory):
    """One train planet without random noise, reduced cadence."""
    from spectramind_kit.simulator import Settings, noise_free, simulate_competition

    return simulate_competition(
        tmp_path_factory.mktemp("quiet"),
        n_train=1,
        n_test=0,
        seed=12,
        settings=noise_free(Settings(two_visit_fraction=0.0)),
    )


@pytest.fixture(scope="session")
def visit():
    """What is true of one visit of an ordinary planet."""
    from spectramind_kit.simulator import draw_visits

    return draw_visits(21, "train", 0)[0]


@pytest.fixture(scope="session")
def maps():
    """The detectors of that visit, (AIRS-CH0, FGS1)."""
    from spectramind_kit.simulator.calibration_maps import maps_of_visit

    return maps_of_visit(21, "train", 0, 0)
