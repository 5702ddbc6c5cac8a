"""Cosmic rays: samples that stand out in time from their own pixel, found and replaced block by block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_CHUNKS, _CHUNK_LENGTH = 8, 24  # stretches of exposures that give the scatter
_OF_READ_NOISE = 0.7  # no pixel scatters by less
# More hits in one exposure than this share of the pixels is a jump of the pointing, not particles (D37).
_LARGEST_SHARE, _SMALLEST_LIMIT = 0.005, 6


def measure_pixel_scatter(
    read_block: Callable[[int, int], np.ndarray], n_exposures: int, *, read_noise: np.ndarray
) -> np.ndarray:
    """σ of a CDS sample of every pixel, (P,): shot noise, read noise and jitter as they are.

    From first differences (blind to slow drifts and the transit) in eight short chunks spread over the visit;
    the median over the chunks is blind to a cosmic ray in one of them. ``read_block(start, stop)`` gives
    calibrated exposures (n, P).
    """
    length = min(_CHUNK_LENGTH, n_exposures)
    sigmas = []
    for start in np.unique(np.linspace(0, n_exposures - length, _CHUNKS).astype(int)):
        difference = np.diff(read_block(int(start), int(start) + length), axis=0)
        squares = np.einsum("tp,tp->p", difference, difference)
        sigmas.append(np.sqrt(squares / (2.0 * max(1, len(difference)))))
    return np.maximum(np.median(sigmas, axis=0), _OF_READ_NOISE * read_noise).astype(np.float32)


def replace_cosmic_rays(block: np.ndarray, scatter: np.ndarray, *, sigma: float) -> int:
    """Replace hits in a block of exposures (n, P) in place; returns how many.

    A sample that is ``sigma`` scatters off the median of its four neighbours in time is replaced by that
    median. Only pixels whose extreme stands out are looked at, so a clean block costs two passes.
    """
    if len(block) < 5:
        return 0
    # the noise of the other samples makes a hit's range larger than `sigma`, by 2 σ to the far side at least
    suspects = np.flatnonzero(block.max(axis=0) - block.min(axis=0) > np.float32(sigma + 1.0) * scatter)
    if not len(suspects):
        return 0
    series = block[:, suspects]
    expected = _neighbour_median(series)
    hits = np.abs(series - expected) > sigma * scatter[suspects]
    hits[hits.sum(axis=1) > max(_SMALLEST_LIMIT, _LARGEST_SHARE * block.shape[1])] = False
    if hits.any():
        series[hits] = expected[hits]
        block[:, suspects] = series
    return int(hits.sum())


def _neighbour_median(series: np.ndarray) -> np.ndarray:
    """Median of the two samples before and the two after, per sample; at the ends, of the four nearest."""
    n = len(series)
    offsets = np.array([-2, -1, 1, 2])
    index = np.arange(n)[:, None] + offsets
    index[0], index[1] = (1, 2, 3, 4), (0, 2, 3, 4)
    index[-1], index[-2] = (n - 2, n - 3, n - 4, n - 5), (n - 1, n - 3, n - 4, n - 5)
    return np.median(series[index], axis=1)
