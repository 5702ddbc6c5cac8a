from __future__ import annotations

import numpy as np
import pandas as pd

from spectramind_kit.simulator import draw_visits
from spectramind_kit.simulator.comparison import label_rows, light_rows, number, orbit_rows, spread, star_rows


def test_rows_tell_agreement_from_disagreement():
    """Guards against a table that agrees with everything."""
    assert number("a", 10.0, 11.4).agrees and not number("a", 10.0, 11.6, reason="why").agrees
    assert number("a", 0.0, 0.01, slack=0.02).agrees and number("a", 10.0, 20.0, reason="why").reason == "why"
    inside, outside, narrow = (
        np.linspace(0.1, 0.9, 100),
        np.linspace(-1.0, 0.9, 100),
        np.linspace(0.4, 0.6, 100),
    )
    assert spread("b", (0.0, 1.0), inside).agrees
    assert not spread("b", (0.0, 1.0), outside).agrees and not spread("b", (0.0, 1.0), narrow).agrees


def test_the_population_agrees_with_the_real_one():
    """Guards against distributions that drifted from the competition's: every row of planets, labels and
    light agrees or says why."""
    visits = [draw_visits(2025, "train", k)[0] for k in range(1100)]
    stars = pd.DataFrame([v.planet.catalogue_row() for v in visits])
    rows = (
        star_rows(stars)
        + orbit_rows(visits)
        + label_rows(np.array([v.label for v in visits]))
        + light_rows(visits)
    )
    assert [row.quantity for row in rows if not row.agrees and not row.reason] == []
    assert sum(row.agrees for row in rows) >= 0.85 * len(rows)
