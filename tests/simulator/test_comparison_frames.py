from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator import comparison_frames
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.exposures import simulate_exposures, star_only


def test_the_detector_agrees_with_the_real_one(visit, maps):
    """Guards against a detector that drifted from the real one: nearly every row agrees, or says why."""
    star = replace(star_only(visit, fgs1=2.21e5, airs=1.626e7), jitter_amplitude=1.0)
    airs = simulate_exposures(star, maps[0], AIRS, pairs=slice(0, 20), seed=3)
    fgs1 = simulate_exposures(star, maps[1], FGS1, pairs=slice(0, 800), seed=3)
    rows = comparison_frames._airs_rows(airs) + comparison_frames._fgs1_rows(fgs1)
    differing = [row.quantity for row in rows if not (row.agrees or row.reason)]
    assert len(rows) == 25 and len(differing) <= 3, differing


def test_dead_pixels_and_cosmic_rays_are_repaired():
    """Guards against statistics that one bad pixel decides."""
    rng = np.random.default_rng(0)
    clean = 1000.0 + rng.normal(0.0, 10.0, (50, 4, 9))
    damaged = clean.copy()
    damaged[:, 2, 4] = np.nan
    damaged[7, 1, 1] += 5e4
    repaired = comparison_frames._repaired(damaged)
    assert np.isfinite(repaired).all() and repaired.max() < 1100.0
    untouched = np.ones_like(clean, bool)
    untouched[:, 2, 4] = untouched[7, 1, 1] = False
    assert np.array_equal(repaired[untouched], clean[untouched])


def test_scatter_is_blind_to_a_slope():
    """Guards against drift that counts as noise."""
    series = 100.0 + np.random.default_rng(1).normal(0.0, 1.0, 4000)
    sloped = series + np.linspace(-20.0, 20.0, 4000)
    assert comparison_frames._scatter(sloped) == pytest.approx(0.01, rel=0.05)
