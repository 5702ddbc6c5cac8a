"""Damages to a visit's frames, in place: (frames × 2, pixels) of a sensor, first and last reads in turn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Frames = tuple[np.ndarray, np.ndarray]  # AIRS-CH0, FGS1
_SHARE = 8 / 187  # of the visit: eight bins
_GAIN = 0.4369  # counts per electron


def _rows(frames: np.ndarray, *, start: float, stop: float) -> slice:
    """Whole exposures of a part of the visit, as rows of ``frames``."""
    n = len(frames) // 2
    return slice(2 * int(start * n), 2 * int(stop * n))


def _transit(truth) -> float:
    """Mid-transit as a part of the visit."""
    return truth.mid_transit_time / 7.5


def _eight_bins(frames: Frames, start: float) -> Iterator[tuple[np.ndarray, slice]]:
    for own in frames:
        yield own, _rows(own, start=start, stop=start + _SHARE)


def zeros(frames: Frames, truth, *, sensors=(0, 1), start: float | None = None) -> None:
    """Zeros in eight bins; in mid-transit where no start is given."""
    start = _transit(truth) - 0.5 * _SHARE if start is None else start
    for own, rows in _eight_bins([frames[k] for k in sensors], start):
        own[rows] = 0


def one_exposure(frames: Frames, truth, *, sensor: int, value: int, reads=slice(0, 2)) -> None:
    rows = _rows(frames[sensor], start=_transit(truth), stop=1.0)
    frames[sensor][rows.start : rows.start + 2][reads] = value


def repeated(frames: Frames, truth) -> None:
    """The detector sends its last frame again and again, just after the transit began."""
    for own, rows in _eight_bins(frames, _transit(truth) - 0.15):
        own[rows] = np.tile(own[rows.start - 2 : rows.start], ((rows.stop - rows.start) // 2, 1))


def sent_again(frames: Frames, truth) -> None:
    """A stretch from before the transit in the place of one in mid-transit."""
    for own, rows in _eight_bins(frames, _transit(truth)):
        source = _rows(own, start=0.05, stop=1.0)
        own[rows] = own[source.start : source.start + rows.stop - rows.start].copy()


def dimmed(frames: Frames, truth, *, light: float = 0.6) -> None:
    """Part of the frames behind each stored one was lost: less light for a while."""
    for own, rows in _eight_bins(frames, _transit(truth)):
        first, last = own[rows][0::2].astype(float), own[rows][1::2].astype(float)
        own[rows.start + 1 : rows.stop : 2] = first + light * (last - first)


def bump(frames: Frames, truth, *, sensors, electrons: float, shape: str = "transit") -> None:
    """Light in every pixel during the transit, or from then on, rounded to counts at random."""
    rng = np.random.default_rng(1)
    for k in sensors:
        n = len(frames[k]) // 2
        time = (np.arange(n) + 0.5) / n - _transit(truth)
        off = np.abs(time) - 0.2 if shape == "transit" else -time
        height = electrons * _GAIN / (1.0 + np.exp(off / 0.01))
        frames[k][1::2] += (height[:, None] + rng.random((n, frames[k].shape[1]))).astype(np.uint16)


def step(frames: Frames, truth) -> None:
    """The same sky on both sensors: 4.5 s and 0.1 s of it."""
    bump(frames, truth, sensors=(0,), electrons=10.0, shape="step")
    bump(frames, truth, sensors=(1,), electrons=0.2, shape="step")


def stuck(frames: Frames, truth, *, value: int | None = None) -> None:
    """All first reads are the visit's first one, or one number."""
    for own in frames:
        own[0::2] = own[0] if value is None else value


def hanging(frames: Frames, truth, *, read: int) -> None:
    """One of the two reads repeats its last value for a while in mid-transit."""
    for own, rows in _eight_bins(frames, _transit(truth)):
        own[rows.start + read : rows.stop : 2] = own[rows.start + read]


def converter(frames: Frames, truth, *, end: int) -> None:
    for own in frames:
        np.minimum(own, end, out=own)


def exchanged(frames: Frames, truth, *, start: float, stop: float = 1.0) -> None:
    """Last reads before first ones."""
    for own in frames:
        rows = _rows(own, start=start, stop=stop)
        own[rows] = own[rows].reshape(-1, 2, own.shape[1])[:, ::-1].reshape(-1, own.shape[1])


def read_missing(frames: Frames, truth) -> None:
    """One read is not there: pairs behind it mix two exposures; the file ends with its last read twice."""
    for own in frames:
        at = _rows(own, start=_transit(truth), stop=1.0).start + 1
        own[at:-1] = own[at + 1 :].copy()


def hot(frames: Frames, truth, *, sensor: int, pixels, count: int = 44_000) -> None:
    """Pixels that hang at a high count since the calibration."""
    rng = np.random.default_rng(3)
    images = frames[sensor].reshape(len(frames[sensor]), 32, -1)
    for row, column in pixels:
        images[1::2, row, column] = count + rng.normal(0.0, 8.0, len(images) // 2)


def unlit(frames: Frames, truth, *, sensor: int) -> None:
    """The shutter stays closed: pedestal and read noise."""
    frames[sensor][:] = np.random.default_rng(2).integers(434, 441, frames[sensor].shape)


def nothing_but_zeros(frames: Frames, truth, *, sensor: int) -> None:
    frames[sensor][:] = 0
