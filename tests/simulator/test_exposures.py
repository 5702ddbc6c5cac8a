from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator import Settings, noise_free
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.exposures import fgs1_centroids, simulate_exposures, star_only
from spectramind_kit.simulator.images import star_images


def test_calibration_undoes_the_detector(visit, maps):
    """Guards against an effect that the recipe cannot invert: without noise the electrons of every pixel come
    back."""
    settings = replace(noise_free(Settings(cadence="full")))
    settings = replace(settings, effects=settings.effects.without("jitter", "foreground", "gain_drift"))
    star = star_only(visit)
    electrons = simulate_exposures(
        star, maps[0], AIRS, pairs=slice(0, 4), seed=1, settings=settings
    ).electrons.mean(0)
    expected = star_images(star.optics)[1].value * star.level[1:] * AIRS.exposure_s
    error = (electrons - expected)[~maps[0].dead_mask]
    bright = expected[~maps[0].dead_mask] > 2_000
    # the ADC's rounding, and the measured flat, which is wrong by 5e-4
    assert (
        np.abs(error[~bright]).max() < 8.0
        and np.abs(error[bright] / expected[~maps[0].dead_mask][bright]).max() < 3e-3
    )


def test_totals_of_the_reference_star(visit, maps):
    """Guards against a wrong flux scale: a star set to 16.26 M and 221 k e⁻ per exposure is read back as such
    within 2 %."""
    star = star_only(visit, fgs1=2.21e5, airs=16.26e6)
    airs = simulate_exposures(star, maps[0], AIRS, pairs=slice(0, 5), seed=1).electrons[:, :, AIRS.column_cut]
    fgs1 = simulate_exposures(star, maps[1], FGS1, pairs=slice(0, 50), seed=1).electrons
    assert np.nansum(airs, axis=(1, 2)).mean() == pytest.approx(16.26e6, rel=0.02)
    assert np.nansum(fgs1, axis=(1, 2)).mean() == pytest.approx(2.21e5, rel=0.02)


def test_centroids_follow_the_spot():
    """Guards against rows and columns swapped."""
    cube = np.zeros((1, 32, 32))
    cube[0, 12, 18] = 3.0
    cube[0, 12, 20] = 1.0
    total, x, y = fgs1_centroids(cube)
    assert (total[0], x[0], y[0]) == (4.0, 18.5, 12.0)
