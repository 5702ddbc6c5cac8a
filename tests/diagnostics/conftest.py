"""A run's folder for the tests of this room, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # run_example lies beside the tests

from run_example import write_run


@pytest.fixture(scope="session")
def work_dir(tmp_path_factory) -> Path:
    """Predictions, log, run.json and truth.csv, no light curves; a test that writes into it copies it
    first."""
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture
def run(work_dir, tmp_path):
    """The same run, writing its figures into a folder of the test's own."""
    import shutil

    from spectramind_kit.diagnostics import open_run

    shutil.copytree(work_dir, tmp_path / "run")
    return open_run(tmp_path / "run", truth=tmp_path / "run" / "truth.csv")


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
    from spectramind_kit.transit.fit.measure import measure_depths

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
