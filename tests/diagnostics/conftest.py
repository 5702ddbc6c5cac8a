"""Two measured planets for the tests of this room, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
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


@pytest.fixture
def measured_run(measured_dir, tmp_path):
    """The same two planets in a folder of the test's own."""
    from spectramind_kit.run_folder import open_run

    shutil.copytree(measured_dir, tmp_path / "measured")
    return open_run(tmp_path / "measured")


@pytest.fixture
def gappy(measured_run):
    """A stored light curve, now without FGS1, one wavelength of AIRS-CH0 and times 10 and 11."""
    from spectramind_kit.diagnostics.visits import planets_with_light_curves, stored_light_curves

    curve = stored_light_curves(measured_run, planets_with_light_curves(measured_run)[0])[0]
    flux, error = curve.flux.copy(), curve.flux_err.copy()
    for values in (flux, error):
        values[:, [0, 5]] = values[10:12] = np.nan
    return replace(curve, flux=flux, flux_err=error)


@pytest.fixture
def texts() -> Callable:
    """A function: all that is written in a figure."""

    def written(figure) -> str:
        from matplotlib.text import Text

        return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())

    return written
