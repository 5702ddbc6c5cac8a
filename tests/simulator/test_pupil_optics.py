"""Images of the pupil: the numbers of real frames, rings that follow the wavelength, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator import pupil_optics
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths

COLUMNS = airs_column_wavelengths()
REAL_ROWS = (0.0066, 0.0124, 0.0227, 0.0429, 0.1217, 0.2482, 0.2692, 0.1449, 0.0411, 0.0222, 0.0175, 0.0084)


def test_the_mean_profile_is_that_of_real_frames():
    """Guards the fit of the wavefront errors: rows 10 to 21 of the mean profile, within 15 % or 0.3 % of the
    light."""
    profile = pupil_optics.airs_profiles(COLUMNS).value[:, 39:321]
    mean = (profile / profile.sum(0)).mean(1)
    np.testing.assert_allclose(mean[10:22], REAL_ROWS, rtol=0.15, atol=3e-3)
    assert mean[8:24].sum() == pytest.approx(0.976, abs=0.01)


def test_fgs1_is_that_of_real_frames():
    """Guards FGS1's image: peak pixel 9.8 %, 96.9 % of the light in the window, centre (15.4, 15.3)."""
    image = pupil_optics.fgs1_psf().value
    assert image.max() == pytest.approx(0.098, rel=0.15)
    window, grid = image[8:24, 8:24], np.arange(8, 24)
    assert window.sum() / image.sum() == pytest.approx(0.969, abs=0.02)
    assert (window.sum(1) @ grid) / window.sum() == pytest.approx(15.4, abs=0.2)
    assert (window.sum(0) @ grid) / window.sum() == pytest.approx(15.3, abs=0.2)


def test_the_image_grows_with_the_wavelength():
    """Guards diffraction: the core at 3.9 µm is wider than at 2 µm, less than twice for its wavefront
    errors."""
    profile = pupil_optics.airs_profiles(np.array([2.0, 3.9])).value
    rows = np.arange(32)
    spread = [np.interp(0.25, np.cumsum(p), rows) - np.interp(0.75, np.cumsum(p), rows) for p in profile.T]
    assert 1.25 < spread[1] / spread[0] < 2.1


def test_derivatives_follow_a_move():
    """Guards pointing: value plus derivatives give the image moved by a tenth of a pixel."""
    centre, (x, y) = pupil_optics.AIRS_CENTRE_ROW, pupil_optics.FGS1_CENTRE
    maps = pupil_optics.airs_profiles(COLUMNS)
    moved = pupil_optics.airs_profiles(COLUMNS, centre_row=centre + 0.1).value
    np.testing.assert_allclose(maps.value + 0.1 * maps.d_y + 0.005 * maps.d_yy, moved, atol=4e-4)
    maps = pupil_optics.fgs1_psf()
    moved = pupil_optics.fgs1_psf(centre=(x + 0.1, y - 0.1)).value
    second = 0.005 * (maps.d_xx + maps.d_yy - 2 * maps.d_xy)
    np.testing.assert_allclose(maps.value + 0.1 * (maps.d_x - maps.d_y) + second, moved, atol=7e-4)
