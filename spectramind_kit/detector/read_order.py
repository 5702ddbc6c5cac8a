"""First and last reads out of step: a read that is missing from the file shifts all pairs behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.raw_counts import between_reads, spread_over
from spectramind_kit.robust import mad_sigma

_WINDOW = 32  # brightest neighbouring pixels: there a last read cannot be taken for a first one
_LOOKS, _END = 200, 16  # exposures that are looked at, spread over the visit and at its end
_INVERTED = 0.5  # of the last ones, with less light in the last read: all behind a gap
_NEGATIVE = 0.5  # of the usual light: a pair with its reads exchanged shows all of it, below zero
_STAR_OVER_NOISE = 8.0  # of the light in these pixels; less is no star, and has no order
_MANY = 0.03  # of all of them: a shorter stretch is dropped as it is


@dataclass(frozen=True)
class ReadOrder:
    """Frames with all pairs in step."""

    adu: np.ndarray  # (2N, P) counts; zeros where a read had no partner
    first_lost: int | None = None  # exposure from which on they were not; None where all was in order


def put_in_step(adu: np.ndarray, *, most: int) -> ReadOrder:
    """Raw frames (n, P), first and last reads in turn, with each last read behind its own first one.

    Where the last pairs of the visit, or many of all, have their reads exchanged, every low read that a high
    one follows is a pair. A read without partner keeps the place of its exposure, as zeros, so that the times
    behind it are right; at most ``most`` exposures come out (there are time stamps for no more).
    """
    n = len(adu) // 2
    if n < _END:
        return ReadOrder(adu)
    difference = between_reads(adu, np.union1d(spread_over(n, _LOOKS), np.arange(n - _END, n)))
    light = np.convolve(np.abs(difference).mean(axis=0), np.ones(_WINDOW), mode="valid")
    part = slice(int(light.argmax()), int(light.argmax()) + _WINDOW)
    light = difference[:, part].sum(axis=1)
    star = float(np.median(np.abs(light)))
    noise = float(mad_sigma(np.abs(light), centre=star))
    inverted = light < -_NEGATIVE * star
    in_step = inverted[-_END:].mean() <= _INVERTED and inverted.mean() <= _MANY
    if in_step or star < _STAR_OVER_NOISE * noise:
        return ReadOrder(adu)
    level = adu[:, part].astype(np.float32).mean(axis=1)
    high = level > 0.5 * (np.quantile(level, 0.1) + np.quantile(level, 0.9))
    first = np.flatnonzero(~high[:-1] & high[1:])
    # reads without partner between two pairs: one lost its own, two are an exposure that cannot be
    alone = np.diff(first, prepend=-2) - 2
    slots = np.arange(len(first)) + np.cumsum(-(-alone // 2))
    first, slots = first[slots < most], slots[slots < most]
    if len(first) < _END or not (first % 2).any():
        return ReadOrder(adu)
    out = np.zeros((2 * (int(slots[-1]) + 1), adu.shape[1]), adu.dtype)
    out[2 * slots], out[2 * slots + 1] = adu[first], adu[first + 1]
    return ReadOrder(out, int(np.flatnonzero(first % 2)[0]))
