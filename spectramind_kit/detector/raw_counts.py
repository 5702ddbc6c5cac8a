"""Sums, differences and choices of raw counts: frames (2N, P), first and last reads in turn."""

from __future__ import annotations

import numpy as np

_SAMPLES_AT_A_TIME = 250_000  # a megabyte in float32, which stays in the cache


def sum_of_pixels(adu: np.ndarray, part: slice) -> np.ndarray:
    """(N,) sums over some pixels of frames (N, P), exact below 2²⁴; as products, faster than ``sum``."""
    out = np.empty(len(adu), np.float64)
    ones = np.ones(part.stop - part.start, np.float32)
    step = max(1, _SAMPLES_AT_A_TIME // len(ones))
    for start in range(0, len(adu), step):
        out[start : start + step] = adu[start : start + step, part].astype(np.float32) @ ones
    return out


def between_reads(adu: np.ndarray, exposures: np.ndarray, part: slice = slice(None)) -> np.ndarray:
    """(K, P) counts, float32: last less first read of the exposures ``exposures`` (K,)."""
    return adu[2 * exposures + 1, part].astype(np.float32) - adu[2 * exposures, part]


def spread_over(n: int, count: int) -> np.ndarray:
    """Up to ``count`` of ``n`` exposures, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, count).astype(int))


def every(adu: np.ndarray, count: int) -> np.ndarray:
    """Frames of about ``count`` exposures (or somewhat more) at equal distances."""
    n = len(adu) // 2
    chosen = np.arange(0, n, max(1, n // count))
    return adu[np.stack([2 * chosen, 2 * chosen + 1], axis=1).ravel()]
