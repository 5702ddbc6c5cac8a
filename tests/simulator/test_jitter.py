from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.constants import FGS1
from spectramind_kit.simulator.jitter import LOOP_RMS_PX, draw_path, pointing_of_frames


@pytest.fixture(scope="module")
def paths():
    rng = np.random.default_rng(3)
    return np.array([draw_path(rng) for _ in range(12)])


def test_rms_of_the_path(paths):
    """Guards against a wrong normalisation of the power spectrum."""
    assert paths.shape == (12, 2, FGS1.pairs)
    assert paths.std() == pytest.approx(LOOP_RMS_PX, rel=0.02)


def test_jitter_averages_down_faster_than_white_noise(paths):
    """Guards against white jitter, with which FGS1 would be 70 % too noisy in bins of 20 s."""
    binned = paths.reshape(12, 2, -1, 50).mean(-1)
    assert 0.005 < binned.std() < 0.8 * LOOP_RMS_PX / np.sqrt(50)


def test_means_over_frames_that_hold_no_whole_number_of_exposures(paths):
    """Guards against reduced frames that lose or repeat exposures: 188 blocks of 359.04 must average to the
    whole."""
    pointing = pointing_of_frames(paths[0], 188)
    assert pointing.x.mean() == pytest.approx(paths[0, 0].mean(), abs=1e-12)
    assert pointing.xy.mean() == pytest.approx((paths[0, 0] * paths[0, 1]).mean(), rel=1e-9)
    even = pointing_of_frames(paths[0], 5625)
    assert np.allclose(even.yy, (paths[0, 1] ** 2).reshape(5625, 12).mean(1))
