"""Bands cover every bin once."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from tests.run_example import WAVELENGTH_UM


def test_bands_hold_every_bin_once_and_fgs1_alone():
    """Guards against a bin that falls between two bands, or is counted twice, in tables and attributions."""
    bands = wavelength_bands(WAVELENGTH_UM)
    np.testing.assert_array_equal(np.sort(np.concatenate([band.bins for band in bands])), np.arange(283))
    assert bands[0].is_fgs1 and bands[0].bins.tolist() == [0]
    assert [band.is_fgs1 for band in bands[1:]] == [False] * (len(bands) - 1)


def test_bins_outside_the_usual_range_join_the_nearest_band():
    """Guards against another wavelength table losing bins at its ends."""
    wavelength = np.r_[0.7, np.linspace(1.5, 4.4, 282)]
    assert sum(len(band.bins) for band in wavelength_bands(wavelength)) == 283
