"""The foreground of a visit: light that is not the star's, measured where the star hardly shines.

Diffraction spreads a star over the whole detector, so pixels beside it hold star light too. Taking all of it
for foreground subtracts 0.6–0.8 % of the star and biases every depth by as much. What tells the two apart is
the transit, in which only the star's light dips (`dilution`); where a visit shows none, what is known of
the zodiacal light (`zodiacal_light`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.dilution import Dilution, measure_dilution
from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.detector.visit_frames import CalibratedFrames
from spectramind_kit.detector.wing import estimate_trace_foreground, estimate_window_foreground
from spectramind_kit.detector.zodiacal_light import (
    AIRS_LEVEL_E,
    FGS1_LEVEL_E,
    estimate_level,
    tilt_lever,
    zodiacal_shape,
)

_GROUP_COLUMNS = 12  # the edge rows' light of fewer is lost in noise; more mix depths
_FAINT_ROWS = 2  # of the trace on each side: nearly as free of the star as the edge rows
_STAR_OVER_EDGES = 3.0  # the trace's mean pixel over the edges': real stars 15 to 60
_SEGMENTS = 187  # stretches of FGS1's visit


@dataclass(frozen=True)
class Foreground:
    """Of one visit, by column (AIRS-CH0) or of all pixels (FGS1)."""

    level: np.ndarray | float  # (C,) e⁻ per pixel and exposure
    star_light: np.ndarray | float  # (C,) of the star in a pixel beside it, in the same unit


def trace_foreground(
    frames: CalibratedFrames, beside: np.ndarray | None, *, wavelength_um: np.ndarray, kind: str
) -> Foreground:
    """Foreground of AIRS-CH0.

    frames : means over T bins · beside (T, C) : the edge rows in these bins (`columns_beside`), or None ·
    wavelength_um (C,) of the columns · kind : `DetectorSettings.foreground`.
    """
    n_rows, n_columns = frames.selection.grid
    if kind == "off" or beside is None:
        return Foreground(np.zeros(n_columns), np.zeros(n_columns))
    plain = beside.mean(axis=0)
    starless = frames.images.mean(dtype=np.float64) < _STAR_OVER_EDGES * plain.mean()
    if kind != "dilution" or starless:
        mean = np.concatenate(
            [frames.images.mean(axis=0, dtype=np.float64), frames.rest.reshape(-1, n_columns)]
        )
        rows = frames.selection.row.reshape(-1, n_columns)[:, 0]  # of the trace, then of the edges
        bad, edge = frames.bad.reshape(-1, n_columns), np.arange(len(rows)) >= n_rows
        given = {"edge": edge, "bad": bad, "remove_wing": kind == "wing_removed"}
        return Foreground(*estimate_trace_foreground(mean, rows, **given))
    starts = np.arange(0, max(1, n_columns - _GROUP_COLUMNS + 1), _GROUP_COLUMNS)
    shape, lever = zodiacal_shape(wavelength_um), tilt_lever(wavelength_um)
    faint, core, weight = _group_series(frames, beside, starts)

    def grouped(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values * weight, starts) / np.add.reduceat(weight, starts)

    level, tilt = estimate_level(
        grouped(shape),
        grouped(shape * lever) / grouped(shape),
        usual=AIRS_LEVEL_E,
        plain=grouped(plain),
        dilution=measure_dilution(faint, core),
    )
    foreground = level * shape * (1.0 + tilt * lever)
    return Foreground(foreground, plain - foreground)


def _group_series(
    frames: CalibratedFrames, beside: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, G) e⁻ per pixel of the faint pixels of groups of columns that begin at ``starts``, weighted by
    their noise; (T, G) e⁻ of the trace without its faint rows; (C,) weight of a column's faint pixels."""
    n_rows, n_columns = frames.selection.grid
    bad, read_noise = (v.reshape(-1, n_columns) for v in (frames.bad, frames.read_noise))
    images, good, few = frames.images, ~bad, min(_FAINT_ROWS, n_rows // 4)
    faint_rows = np.r_[0:few, n_rows - few : n_rows]
    faint = images[:, faint_rows]
    variance = np.concatenate([faint.mean(axis=0), np.broadcast_to(beside.mean(axis=0), bad[n_rows:].shape)])
    noise = read_noise[np.r_[faint_rows, n_rows : len(bad)]]
    weight = good[np.r_[faint_rows, n_rows : len(bad)]] / (np.maximum(variance, 0.0) + noise**2)
    inside, outside = weight[: 2 * few], weight[2 * few :].sum(axis=0)
    column = inside.sum(axis=0) + outside
    light = np.einsum("trc,rc->tc", faint, inside) + beside * outside
    bright = slice(few, n_rows - few)
    core = np.einsum("trc,rc->tc", images[:, bright], good[bright].astype(np.float32))
    sums = [np.add.reduceat(values, starts, axis=-1) for values in (light, column, core.astype(np.float64))]
    return sums[0] / sums[1], sums[2], column


def window_foreground(
    mean: np.ndarray, row: np.ndarray, column: np.ndarray, *, n_window: int, bad: np.ndarray, kind: str
) -> Foreground:
    """Foreground of FGS1 from its mean image alone: mean, row, column, bad (P,), the window's pixels first,
    then the corners'. `window_dilution` betters it."""
    if kind == "off":
        return Foreground(0.0, 0.0)
    given = {"n_window": n_window, "bad": bad, "remove_wing": kind == "wing_removed"}
    level, star_light = estimate_window_foreground(mean, row, column, **given)
    starless = mean[:n_window].mean() < _STAR_OVER_EDGES * level
    return Foreground(level, star_light) if kind != "dilution" or starless else _fgs1_level(level, None)


def window_dilution(first: Foreground, levels: np.ndarray, flux: np.ndarray) -> Foreground:
    """FGS1's with what a transit says: levels (N,) e⁻ per pixel in the corners (`levels_beside`), flux (N,)
    e⁻ of the star, of all exposures; ``first`` from `window_foreground`."""
    edges = np.unique(np.linspace(0, len(levels), _SEGMENTS + 1).astype(int))
    series = (bin_mean(values, edges)[:, None] for values in (levels, flux))
    return _fgs1_level(first.level + first.star_light, measure_dilution(*series))


def _fgs1_level(plain: float, dilution: Dilution | None) -> Foreground:
    one = np.ones(1)
    given = {"usual": FGS1_LEVEL_E, "plain": plain * one, "dilution": dilution}
    level, _ = estimate_level(one, 0.0 * one, **given)
    return Foreground(level, plain - level)
