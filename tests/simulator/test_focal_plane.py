from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.focal_plane import AIRS_CENTRE_ROW, FGS1_CENTRE, airs_profiles, fgs1_psf
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths

COLUMNS = airs_column_wavelengths()


def test_shares_of_light():
    """Guards against a PSF that is wider or narrower than the real one."""
    psf = fgs1_psf().value
    assert psf.sum() == pytest.approx(1.0, abs=0.01) and psf.max() / psf.sum() == pytest.approx(
        0.098, rel=0.1
    )
    assert psf[8:24, 8:24].sum() / psf.sum() == pytest.approx(0.969, abs=0.012)
    profile = airs_profiles(COLUMNS).value[:, 39:321]
    assert profile[8:24].sum() / profile.sum() == pytest.approx(0.976, abs=0.01)


def test_taylor_expansion_follows_a_moved_psf():
    """Guards against derivatives of the wrong sign or size: a shift of 0.15 px by expansion against the
    shifted PSF itself."""
    x, y = 0.1, -0.12
    maps, moved = fgs1_psf(), fgs1_psf(centre=(FGS1_CENTRE[0] + x, FGS1_CENTRE[1] + y)).value
    expanded = (
        maps.value
        + maps.d_x * x
        + maps.d_y * y
        + 0.5 * (maps.d_xx * x * x + maps.d_yy * y * y)
        + maps.d_xy * x * y
    )
    assert np.abs(expanded - moved).max() < 2e-3 * maps.value.max()
    maps, moved = airs_profiles(COLUMNS), airs_profiles(COLUMNS, centre_row=AIRS_CENTRE_ROW + 0.1).value
    assert np.abs(maps.value + 0.1 * maps.d_y + 0.005 * maps.d_yy - moved).max() < 2e-3 * maps.value.max()
