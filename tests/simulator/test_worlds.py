"""Named skies."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.errors import ConfigError
from spectramind_kit.simulator import simulate_light_curves
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import draw_visits
from spectramind_kit.simulator.worlds import WORLDS, SimulationSize, world


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_makes_light_curves(name):
    """Guards against a world that nobody has run: finite curves with a transit in them."""
    made = simulate_light_curves(2, seed=3, n_times=60, settings=world(name))
    flux = made.flux.numpy()
    assert np.isfinite(flux).all()
    white = flux[0, :, 1:].sum(1)
    assert white.min() < 0.999 * np.median(white)


def test_real_is_the_default():
    """Guards against a default that drifts away from its name."""
    assert world("real") == Settings()


def test_an_unknown_world_is_refused():
    """Guards against a typo that simulates something else."""
    with pytest.raises(ConfigError, match="easy"):
        world("eazy")


@pytest.mark.parametrize(
    "name, shown",
    [
        ("limb_darkening", lambda v: v.hidden.limb_steps is not None),
        ("spot_crossings", lambda v: v.hidden.spot is not None),
        ("ramps", lambda v: v.hidden.ramp is not None),
        ("eccentric", lambda v: v.planet.eccentricity > 0),
    ],
)
def test_a_hidden_effect_is_in_every_visit_of_its_world(name, shown):
    """Guards against benchmarks of an effect that few of the planets have."""
    for index in range(3):
        assert all(shown(v) for v in draw_visits(2, "train", index, settings=world(name)))
        assert not any(shown(v) for v in draw_visits(2, "train", index, settings=world("easy")))


def test_what_is_simulated_is_checked_before_anything_runs():
    """Guards against a typo in `-o simulate.world=…` that fails after the first planets."""
    given = {"n_train": 2, "n_test": 1, "cadence": "reduced", "seed": 0, "world": "easy"}
    assert SimulationSize(**given).world == "easy"
    for wrong in ({"world": "eazy"}, {"cadence": "half"}, {"n_train": 1}, {"seed": -1}):
        with pytest.raises(ConfigError):
            SimulationSize(**{**given, **wrong})
