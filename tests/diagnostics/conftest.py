"""Two measured planets for the tests of this room, made once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _figures_must_not_fail_quietly(recwarn):
    """A figure that breaks is only a warning for the user; in the tests it is a failure."""
    yield
    told = [str(w.message) for w in recwarn if "could not be drawn" in str(w.message)]
    assert not told, told


@pytest.fixture(scope="session")
def measured_dir(tmp_path_factory) -> Path:
    """Two simulated planets with their light curves and the anchor's measurements, where a run keeps them."""
    from spectramind_kit.simulator import simulate_light_curves
    from spectramind_kit.transit.fit.planets import measure_depths

    folder = tmp_path_factory.mktemp("measured")
    (folder / "anchor/settings").mkdir(parents=True)
    simulated = simulate_light_curves(2, seed=3, start=4)
    planets: dict[int, list] = {}
    for row in range(len(simulated)):
        curve = simulated.light_curve(row)
        curve.save(folder / f"store/settings/{curve.planet_id}_{curve.visit}.npz")
        planets.setdefault(curve.planet_id, []).append((curve, simulated.visits[row].planet))
    for planet_id, rows in planets.items():
        planet = rows[0][1]
        star = {"P": planet.period_d, "sma": planet.semi_major_axis, "i": planet.inclination_deg}
        measure_depths([curve for curve, _ in rows], star).save(folder / f"anchor/settings/{planet_id}.npz")
    return folder
