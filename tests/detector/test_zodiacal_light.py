"""What is known of the zodiacal light, and how it meets what a transit says."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.dilution import Dilution
from spectramind_kit.detector.zodiacal_light import AIRS_LEVEL_E, estimate_level, tilt_lever, zodiacal_shape

UM = np.linspace(3.9, 1.95, 24)
SHAPE, LEVER = zodiacal_shape(UM), tilt_lever(UM)
PLAIN = np.full(24, 60.0)


def level(dilution, plain=PLAIN):
    return estimate_level(SHAPE, LEVER, usual=AIRS_LEVEL_E, plain=plain, dilution=dilution)


def test_the_shape_is_the_measured_one():
    """Guards the unit and the direction: 21 e⁻ at 2.1 µm, 6 at 3.9, falling smoothly."""
    assert 21.0 * zodiacal_shape(np.array([2.1, 3.9])) == pytest.approx([21.0, 6.0], abs=0.5)
    assert (np.diff(SHAPE) > 0).all() and np.abs(np.diff(SHAPE, 2)).max() < 0.02


def test_without_a_transit_the_usual_level():
    """Guards against a visit without a transit, or with a useless one, that gets another foreground."""
    alone, tilt = level(None)
    assert alone == pytest.approx(21.0, rel=0.05) and tilt == pytest.approx(0.0, abs=1e-9)
    useless = Dilution(np.full(24, -300.0), np.full(24, 1e3))
    assert level(useless)[0] == pytest.approx(alone, rel=0.1)


@pytest.mark.parametrize("truth,tilt", [(5.0, 0.0), (21.0, 0.15), (40.0, -0.15)])
def test_a_deep_transit_decides(truth, tilt):
    """Guards the likelihood: level and tilt of a good measurement are those that it found."""
    sky = truth * SHAPE * (1 + tilt * LEVER)
    found, found_tilt = level(Dilution(sky, np.full(24, 0.3)))
    assert found == pytest.approx(truth, rel=0.03) and found_tilt == pytest.approx(tilt, abs=0.05)


@pytest.mark.parametrize("change", (-600.0, 600.0))
def test_a_foreground_that_changes_with_the_transit_says_nothing(change):
    """Guards against 10 e⁻ more in transit that pass for a star without light beside it."""
    assert level(Dilution(change * SHAPE, np.full(24, 3.0))) == level(None)


def test_no_more_than_there_is():
    """Guards against more foreground than light, and against a fit where there is none."""
    found, _ = level(None, plain=10.0 * SHAPE)
    assert 5.0 < found < 10.0
    assert level(None, plain=-3.0 * SHAPE) == (-3.0, 0.0) and level(None, plain=0.0 * SHAPE) == (0.0, 0.0)
