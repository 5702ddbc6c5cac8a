from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import count_visits, draw_visits


def test_two_visits_share_planet_and_label_but_not_drift():
    """Guards against second visits that are copies of the first, and against visits of different planets."""
    settings = Settings(two_visit_fraction=1.0)
    first, second = draw_visits(5, "train", 0, settings=settings)
    assert first.planet == second.planet and np.array_equal(first.label, second.label)
    assert first.mid_transit_time != second.mid_transit_time
    assert not np.allclose(first.drift.wavelength_response, second.drift.wavelength_response)


def test_share_of_two_visit_planets():
    """Guards against a fraction that is ignored."""
    counts = [count_visits(5, "train", k, settings=Settings(two_visit_fraction=0.3)) for k in range(400)]
    assert np.mean(np.array(counts) == 2) == pytest.approx(0.3, abs=0.07)
