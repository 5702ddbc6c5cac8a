"""Which optics draw the star."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.images import star_images


@pytest.mark.parametrize("optics", ["pupil", "gaussian"])
def test_both_sensors_have_an_image_with_all_the_light(optics):
    """Guards against an image that loses light or has the wrong shape."""
    fgs1, airs = (image.value for image in star_images(optics))
    assert fgs1.shape == (32, 32) and airs.shape == (32, 356)
    assert 0.95 < fgs1.sum() < 1.001 and (airs.sum(0) > 0.95).all()


def test_the_optics_differ():
    """Guards against a switch that does nothing."""
    assert np.abs(star_images("pupil")[1].value - star_images("gaussian")[1].value).max() > 1e-2
