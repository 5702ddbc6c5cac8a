"""Reads that got out of step are paired anew, in their place in time, and all others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.read_order import put_in_step

N = 300


def frames() -> np.ndarray:
    """(2N, 200) counts; the two last pixels number the exposures and the reads."""
    rng = np.random.default_rng(0)
    adu = rng.integers(430, 445, (2 * N, 200)).astype(np.uint16)
    adu[1::2, 50:120] += 3000
    adu[:, -2], adu[:, -1] = np.arange(2 * N) // 2, np.arange(2 * N) % 2
    return adu


def test_ordinary_visits_are_not_touched():
    """Guards against a copy of all frames, or lost ones, where nothing is wrong; also with exposures without
    light."""
    for adu in (frames(), frames()[:-1], frames()[:10]):
        found = put_in_step(adu, most=N)
        assert found.adu is adu and found.first_lost is None
    for reads in (slice(100, 140), slice(101, 140, 2), slice(100, 140, 2)):
        dark = frames()
        dark[reads] = 0
        assert put_in_step(dark, most=N).adu is dark


def test_frames_without_a_star_have_no_order():
    """Guards against a drift of a few counts that passes for exchanged reads."""
    adu = np.random.default_rng(0).integers(430, 440, (2 * N, 200)).astype(np.uint16)
    adu[1::2] -= 3
    assert put_in_step(adu, most=N).adu is adu


@pytest.mark.parametrize("gone", [[0], [101], [100], [599 - 40], [101, 300], [101, 300, 451]])
def test_missing_reads_cost_their_own_exposures(gone):
    """Guards against a visit that is lost for one missing read: the pairs behind it mixed two exposures."""
    found = put_in_step(np.delete(frames(), gone, axis=0), most=N)
    lost = sorted({read // 2 for read in gone})
    assert abs(found.first_lost - lost[0]) <= 1
    pairs = found.adu.reshape(-1, 2, 200)
    whole = pairs.any(axis=(1, 2))
    np.testing.assert_array_equal(pairs[whole][:, 0, -2], np.setdiff1d(np.arange(N), lost))
    np.testing.assert_array_equal(pairs[whole][:, 0, -2], np.flatnonzero(whole))
    assert (pairs[whole][:, :, -1] == [0, 1]).all() and (np.ptp(pairs[whole][:, :, -2], axis=1) == 0).all()


def test_exchanged_reads_are_paired_with_their_neighbours():
    """Guards against a file that has all last reads before the first ones; no more exposures than stamps."""
    adu = frames().reshape(N, 2, 200)[:, ::-1].reshape(2 * N, 200)
    found = put_in_step(adu, most=N).adu.reshape(-1, 2, 200)
    assert len(found) <= N and (found[1:, :, -1] == [0, 1]).all()
