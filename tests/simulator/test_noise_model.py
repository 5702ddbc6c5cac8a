from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator import Settings
from spectramind_kit.simulator.constants import AIRS, FGS1, SENSORS
from spectramind_kit.simulator.exposures import simulate_exposures, star_only
from spectramind_kit.simulator.noise_model import ROWS, WINDOW, captured, constant_variance, exposures_per_bin
from spectramind_kit.simulator.wavelengths import grid_to_bins


def test_a_window_captures_nearly_all_light():
    """Guards against shares of another window, or above one."""
    share = captured("pupil")
    assert share.shape == (283,) and (share > 0.93).all() and (share < 1.0).all()


def test_variance_is_that_of_frames(visit, maps):
    """Guards against a light-curve level with other noise than the frames: variances of window sums."""
    on = Settings().effects.without("jitter", "gain_drift", "cosmic_rays")
    settings, star = Settings(cadence="full", effects=on), star_only(visit)
    expected = star.level * np.r_[FGS1.exposure_s, np.full(AIRS.columns, AIRS.exposure_s)]
    expected = grid_to_bins(expected) * captured(star.optics) + constant_variance(
        star, adc_gain=settings.adc_gain
    )
    for sensor, sensor_maps, bins in zip(SENSORS, maps, (slice(1, None), slice(0, 1)), strict=True):
        pairs = slice(0, 60) if sensor.name == AIRS.name else slice(0, 1500)
        cube = simulate_exposures(star, sensor_maps, sensor, pairs=pairs, seed=4, settings=settings).electrons
        cube = np.nan_to_num(cube)
        if sensor.name == AIRS.name:
            window = cube[:, ROWS, AIRS.cut][..., ::-1].sum(1)
        else:
            window = cube[:, WINDOW, WINDOW].sum((1, 2))
        ratio = np.median(window.var(0, ddof=1) / expected[bins])
        assert ratio == pytest.approx(1.0, abs=0.12), sensor.name


def test_exposures_in_a_bin():
    """Guards against seconds and hours mixed up, and against one cadence for both sensors."""
    assert exposures_per_bin(1.0)[[0, 1]] == pytest.approx([9000.0, 750.0])
