"""Sums, differences and choices of raw counts."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.raw_counts import between_reads, every, spread_over, sum_of_pixels


def test_sums_are_exact():
    """Guards the float32 products: sums of counts, to the last one."""
    adu = np.random.default_rng(0).integers(0, 65536, (5000, 200)).astype(np.uint16)
    expected = adu[:, 20:180].sum(axis=1, dtype=np.int64)
    np.testing.assert_array_equal(sum_of_pixels(adu, slice(20, 180)), expected)


def test_between_reads_is_last_less_first():
    """Guards against unsigned counts that wrap round, and against the reads of another exposure."""
    adu = np.array([[500, 10], [400, 30], [5, 5], [65535, 6]], np.uint16)
    np.testing.assert_array_equal(between_reads(adu, np.array([1, 0])), [[65530, 1], [-100, 20]])
    np.testing.assert_array_equal(between_reads(adu, np.array([0]), slice(1, 2)), [[20]])


def test_choices_spread_over_the_visit():
    """Guards against a choice that misses the visit's end, or that separates the reads of an exposure."""
    chosen = spread_over(1000, 7)
    assert len(chosen) == 7 and chosen[0] == 0 and chosen[-1] == 999
    assert spread_over(3, 7).tolist() == [0, 1, 2]
    adu = np.repeat(np.arange(2000)[:, None], 2, axis=1)
    some = every(adu, 90)
    assert (
        90 <= len(some) // 2 <= 100 and (some[1::2] == some[0::2] + 1).all() and (some[0::2] % 2 == 0).all()
    )
