"""The light beside the star, by exposure and by column and bin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.light_beside import columns_beside, levels_beside


def test_levels_are_electrons_per_good_pixel():
    """Guards the unit, the pixels that count, and a particle's exposure."""
    rng = np.random.default_rng(0)
    adu = np.zeros((600, 100), np.uint16)
    adu[0::2], adu[1::2] = 440, 445 + rng.integers(0, 3, (300, 100))
    bad = np.zeros(100, bool)
    bad[60:70] = True
    adu[1::2, 60:70] = 440
    adu[301, 50] = 30_000
    level = levels_beside(adu, slice(40, 100), bad=bad, electrons_per_count=2.0)
    np.testing.assert_allclose(level, 12.0, atol=1.0)
    assert level.mean() == pytest.approx(12.0, abs=0.05)


def test_columns_are_means_of_good_pixels_in_bins(open_visit):
    """Guards the unit, the bins, a bad pixel that counts, and a column without a good one."""
    raw = open_visit(AIRS)
    adu = raw.adu.copy()
    late = np.arange(len(adu)) >= 80
    adu[np.ix_((np.arange(len(adu)) % 2 == 1) & late, np.arange(raw.beside.start, raw.beside.stop))] += 10
    n = raw.selection.grid[1]
    bad = raw.pixels.bad.copy()
    bad[raw.beside.start :: n] = True  # the first column's
    bad[raw.beside.start + 5] = True
    adu[1::2, raw.beside.start + 5] = 5000
    raw = replace(raw, adu=adu, pixels=replace(raw.pixels, bad=bad))
    found = columns_beside(raw, np.array([0, 20, 40, 60, 80]))
    assert found.shape == (4, n)
    added = 10.0 * float(raw.pixels.factor)
    np.testing.assert_allclose(found[2:].mean() - found[:2].mean(), added, rtol=0.05)
    assert np.abs(found[1] - found[0]).max() < 25.0, "noise of 160 pixels; the bad one's counts would be more"
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    bad[raw.beside] = True
    assert columns_beside(replace(raw, pixels=replace(raw.pixels, bad=bad)), np.array([0, 80])) is None
