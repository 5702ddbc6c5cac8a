"""The nearest good pixels of each bad one in its row."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.row_neighbours import RowNeighbours


def test_neighbours_are_those_of_a_search():
    """Guards against neighbours that are bad themselves, in another row, or beyond the ends of a row."""
    bad = np.random.default_rng(0).random((30, 12)) < 0.6
    bad[4] = True
    at = RowNeighbours.of(bad)
    np.testing.assert_array_equal(np.stack([at.row, at.column]), np.nonzero(bad))
    for k, (row, column) in enumerate(zip(at.row, at.column)):
        good = np.flatnonzero(~bad[row])
        assert at.hopeless[k] == (not len(good))
        if len(good):
            left, right = good[good < column], good[good > column]
            expected = (left[-1] if len(left) else right[0], right[0] if len(right) else left[-1])
            assert (at.left[k], at.right[k]) == expected


def test_weights_interpolate_a_slope():
    """Guards the weight: a straight line is filled with itself, an end with its neighbour."""
    bad = np.array([[True, False, True, True, False, True]])
    at = RowNeighbours.of(bad)
    line = 3.0 + 2.0 * np.arange(6)
    filled = (1 - at.weight) * line[at.left] + at.weight * line[at.right]
    np.testing.assert_allclose(filled, [line[1], line[2], line[3], line[4]])
