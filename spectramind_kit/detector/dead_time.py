"""Exposures that cannot be: without light, repeated, or far off the others; found before any fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spectramind_kit.detector.raw_counts import between_reads, spread_over, sum_of_pixels
from spectramind_kit.robust import mad_sigma, running_median

_WINDOW = 32  # neighbouring pixels, in the order in which they are read, that are looked at
_SMALL = 2000  # pixels, of which one stretch is enough
_LOOKS = 24  # exposures from which the bright pixels are chosen
_ENOUGH = 4096  # exposures that tell a level or a scatter
_STAR_OVER_NOISE = 10.0  # of the light in a stretch; less is no star
# Limits of docs/decisions.md D40. Of the visit's level, of which the deepest transits take 8 %:
_LEAST_LIGHT, _FAR, _FAR_SIGMAS = 0.5, 0.25, 8.0
_SIGMAS, _LEAST_JUMP = 20.0, 0.05  # off the neighbours in time
_PIXEL_SIGMAS, _PIXEL_SHARE = 4.0, 0.02  # off what a pixel usually holds: its σ and part of its light
_MANY_PIXELS = 0.25  # of those looked at
_HALF = 7  # exposures to either side that an exposure is compared with
_MANY_EXPOSURES = 4000  # an ingress lasts so long that fifteen in a row share one median
_NO_NOISE = 0.9  # more repeats than this are frames without noise
_AT_CEILING = 0.05  # more exposures than this with all bright pixels at the highest count: a bright star
_MOSTLY = 0.5

NO_LIGHT, REPEATED, OFF = "no light", "repeated", "far off the others"


@dataclass(frozen=True)
class ExposureCheck:
    """Which exposures of a sensor are possible."""

    good: np.ndarray  # (N,) bool
    reasons: dict[str, int] = field(default_factory=dict)  # how many of the others, by reason
    repeats: float = 0.0  # share of exposures that equal an earlier one and are kept, since nearly all do
    stuck: bool = False  # most first reads are the one before bit by bit, so that only last reads tell


def check_exposures(adu: np.ndarray, *, ignore_last: int = 0) -> ExposureCheck:
    """Which exposures of a sensor are possible, from raw frames (2N, P): first and last reads in turn.

    The brightest stretch of 32 pixels (AIRS-CH0: and the brightest far from it) stands for the frame, so this
    costs some per cent of the decoding. The last ``ignore_last`` exposures are judged but not counted.
    """
    n = len(adu) // 2
    windows = _bright_windows(adu)
    sums = np.stack([sum_of_pixels(adu[: 2 * n], part) for part in windows], axis=1)
    sums = sums.reshape(n, 2, len(windows))
    lost = {NO_LIGHT: _constant(adu, n, windows, sums)}
    total = sums[:, 1] - sums[:, 0]  # (N, windows)
    looked = total if not lost[NO_LIGHT].any() else total[~lost[NO_LIGHT]]
    some = looked[:: max(1, len(looked) // _ENOUGH)]
    level = np.quantile(some, 0.8, axis=0) if len(some) else np.zeros(len(windows))
    noise = _scatter(looked)
    lit = level > _STAR_OVER_NOISE * noise  # a window without a star says nothing
    off = np.zeros(n, bool)
    for k in np.flatnonzero(lit):
        away = np.abs(total[:, k] - level[k]) > max(_FAR * level[k], _FAR_SIGMAS * noise[k])
        away = _in_many_pixels(adu, windows[k], away & ~lost[NO_LIGHT])
        lost[NO_LIGHT] |= away & (total[:, k] < _LEAST_LIGHT * level[k])
        off |= away
    off &= ~lost[NO_LIGHT]
    repeated, repeats = _repeated(adu, sums, ~lost[NO_LIGHT]), 0.0
    if repeated.sum() > _NO_NOISE * n:
        repeated, repeats = np.zeros(n, bool), float(repeated.mean())
    held, stuck = [_held(adu, sums, read) & ~lost[NO_LIGHT] for read in (0, 1)], False
    if not repeats:
        stuck = bool(held[0].sum() > _MOSTLY * (~lost[NO_LIGHT]).sum())
        repeated = repeated | held[1] | (held[0] & (not stuck))
    left = np.flatnonzero(~(lost[NO_LIGHT] | off | repeated))
    for k in np.flatnonzero(lit) if len(left) > 2 * _HALF else ():
        jumps = np.zeros(n, bool)
        jumps[left] = _jumps(total[left, k])
        off |= _in_many_pixels(adu, windows[k], jumps)
    lost[REPEATED], lost[OFF] = repeated & ~off, off
    counted = slice(0, n - ignore_last)
    good = ~(lost[NO_LIGHT] | lost[REPEATED] | lost[OFF])
    reasons = {reason: int(which[counted].sum()) for reason, which in lost.items() if which[counted].any()}
    return ExposureCheck(good=good, repeats=repeats, reasons=reasons, stuck=stuck)


def _bright_windows(adu: np.ndarray) -> list[slice]:
    """The stretch of pixels with most light between the reads, and the one with most of it far from there."""
    pixels = adu.shape[1]
    light = np.quantile(between_reads(adu, spread_over(len(adu) // 2, _LOOKS)), 0.75, axis=0)
    width = min(_WINDOW, pixels)
    sums = np.convolve(light, np.ones(width), mode="valid")
    first = int(sums.argmax())
    far = np.abs(np.arange(len(sums)) - first) > max(width, pixels // 4 if pixels > _SMALL else pixels)
    starts = [first] + ([int(np.where(far, sums, -np.inf).argmax())] if far.any() else [])
    return [slice(start, start + width) for start in starts]


def _constant(adu: np.ndarray, n: int, windows: list[slice], sums: np.ndarray) -> np.ndarray:
    """(N,) bool: a read shows the same number in all the pixels looked at (zero, most often). First reads may
    do so in frames without noise; they count where they are the exception. Last reads do where a star takes
    all these pixels to the end of the converter, again and again."""
    constant = np.zeros((n, 2, len(windows)), bool)
    for k, part in enumerate(windows):
        for read in (0, 1):
            reads = adu[read : 2 * n : 2]
            suspects = np.flatnonzero(sums[:, read, k] % (part.stop - part.start) == 0.0)
            values = reads[suspects, part]
            constant[suspects, read, k] = (values == values[:, :1]).all(axis=1)
    last, highest = constant[:, 1, 0], sums[:, 1, 0].max()
    ceiling = last & (sums[:, 1, 0] == highest) & (highest > 0)
    if ceiling.mean() > _AT_CEILING:
        last = last & ~ceiling
    first = constant[:, 0, 0]
    return last | (first if first.mean() < _MOSTLY else False)


def _repeated(adu: np.ndarray, sums: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """(N,) bool: both reads equal those of an earlier exposure bit by bit."""
    n = len(sums)
    repeated = np.zeros(n, bool)
    key = sums.reshape(n, -1) @ np.array([1.0, 7919.0, 1_000_003.0, 15_485_863.0])[: sums[0].size]
    ordered = np.sort(key)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return repeated
    order = np.flatnonzero(np.isin(key, twice))
    order = order[np.argsort(key[order], kind="stable")]
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    for k in same:  # a few dozen by chance; the pixels themselves decide
        a, b = order[k], order[k + 1]
        if possible[a] and possible[b] and np.array_equal(adu[2 * a : 2 * a + 2], adu[2 * b : 2 * b + 2]):
            repeated[b] = True
    return repeated


def _held(adu: np.ndarray, sums: np.ndarray, read: int) -> np.ndarray:
    """(N,) bool: this read equals that of the exposure before bit by bit, though the other may not."""
    own = adu[read : 2 * len(sums) : 2]
    held = np.zeros(len(sums), bool)
    for k in np.flatnonzero((sums[1:, read] == sums[:-1, read]).all(axis=1)) + 1:
        held[k] = np.array_equal(own[k], own[k - 1])
    return held


def _in_many_pixels(adu: np.ndarray, part: slice, suspects: np.ndarray) -> np.ndarray:
    """(N,) bool: suspects in which many pixels are off what they usually hold. A particle hits few."""
    which = np.flatnonzero(suspects)
    if not len(which):
        return suspects
    usual = between_reads(adu, spread_over(len(suspects), 8 * _LOOKS), part)
    low, middle, high = np.quantile(usual, (0.16, 0.5, 0.84), axis=0)
    limit = _PIXEL_SIGMAS * 0.5 * (high - low) + _PIXEL_SHARE * np.abs(middle)
    out = np.zeros(len(suspects), bool)
    out[which] = (np.abs(between_reads(adu, which, part) - middle) > limit).mean(axis=1) > _MANY_PIXELS
    return out


def _scatter(total: np.ndarray) -> np.ndarray:
    if len(total) < 2:
        return np.full(total.shape[1], np.inf)
    step = max(1, len(total) // _ENOUGH)
    return mad_sigma(total[1::step], axis=0, centre=total[:-1:step]) / np.sqrt(2.0)


def _jumps(total: np.ndarray) -> np.ndarray:
    """(N,) bool: off the median of the fifteen nearest by far more than noise, jitter or an ingress."""
    n, width = len(total), 2 * _HALF + 1
    if n > _MANY_EXPOSURES:
        blocks = -(-n // width)
        padded = np.pad(total, (0, blocks * width - n), mode="reflect")
        expected = np.repeat(np.median(padded.reshape(blocks, width), axis=1), width)[:n]
    else:
        expected = running_median(total, width)
    difference = total - expected
    sigma = mad_sigma(difference[:: max(1, n // _ENOUGH)], centre=0.0)
    return np.abs(difference) > np.maximum(_SIGMAS * sigma, _LEAST_JUMP * np.abs(np.median(total)))
