"""The foreground beside a wing that is fitted to the mean image: a power law per column.

Diffraction spreads a star over the whole detector, so edge pixels hold star light too: 0.6–0.8 % of what the
trace does. Rings that grow with the wavelength are no power law, so on real frames this oscillates; kept to
compare with (`foreground: wing_removed`; docs/decisions.md D39).
"""

from __future__ import annotations

import numpy as np

# A diffraction wing falls as r^-3, summed along one axis as r^-2. A Gaussian's looks steeper than any of
# these powers, and then nothing is left at the edges to remove.
_POWERS = np.r_[np.arange(1.4, 4.0, 0.1), np.arange(4.0, 8.01, 0.5)]
_CORES_PX = (0.5, 1.5, 2.5)  # of the wing's shape (r² + core²)^(−p/2)
_WING_STARTS_PX = 5.5
_FEWEST_IN_RING = 8  # pixels of FGS1's window
_GROUP = 24  # columns that share a power
_SMOOTH = 15  # columns over which share and foreground are averaged: both change slowly with wavelength


def estimate_trace_foreground(
    mean: np.ndarray, rows: np.ndarray, *, edge: np.ndarray, bad: np.ndarray, remove_wing: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Foreground of each AIRS-CH0 column and star light in its edge pixels, (C,) e⁻ per pixel and exposure.

    Parameters
    ----------
    mean : (R, C) mean image over the visit. rows : (R,) detector row of each.
    edge : (R,) bool, rows that measure the foreground. bad : (R, C) bool.

    The model of a column's outer rows is f + (A₋ or A₊)·(r² + r_c²)^(−p/2), r the distance from the trace, A₋
    and A₊ for the rows below and above, p common to a group of neighbouring columns. The mean image of a
    visit knows each pixel to about 0.3 e⁻, so every column can be solved alone. The wing at the edges is then
    subtracted from what the edges show.
    """
    good = ~bad
    on_edge = good & edge[:, None]
    counts = on_edge.sum(axis=0)
    plain = np.where(on_edge, mean, 0.0).sum(axis=0) / np.maximum(counts, 1)
    plain = np.where(counts > 0, plain, np.nan)
    if not remove_wing:
        return _smooth(plain), np.zeros_like(plain)
    lowest = plain[counts > 0].min() if counts.any() else mean.min()
    profile = np.where(good & ~edge[:, None], np.maximum(mean - lowest, 0.0), 0.0).sum(axis=1)
    if profile.sum() <= 0:
        return _smooth(plain), np.zeros_like(plain)
    centre = float((rows * profile).sum() / profile.sum())
    distance = np.abs(rows - centre)
    outer = edge | (distance >= _WING_STARTS_PX)
    wing = _fit_wing(mean[outer], distance[outer], rows[outer] > centre, usable=good[outer])
    at_edge = np.full(mean.shape, np.nan)
    at_edge[outer] = wing
    star = np.where(on_edge, at_edge, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return _smooth(np.where(counts > 0, plain - star, np.nan)), star


def _fit_wing(
    value: np.ndarray, distance: np.ndarray, above: np.ndarray, *, usable: np.ndarray
) -> np.ndarray:
    """Star light (rows, C) that the fitted wing puts into each of the outer rows."""
    lowest = np.where(usable, value, np.inf).min(axis=0)
    excess = np.clip(np.where(usable, value, 0.0) - np.where(np.isfinite(lowest), lowest, 0.0), 0.0, None)
    # noise of the mean, 3 % of the wing for its shape
    weight = np.where(usable, 1.0 / (0.3**2 + (0.03 * excess) ** 2), 0.0)
    value = np.where(usable, value, 0.0)
    columns = np.arange(value.shape[1])
    some = columns[:: min(4, max(1, len(columns) // 8))]  # a few columns are enough to choose core and power
    group = some // _GROUP
    best_cost, best_core, best_power = np.inf, _CORES_PX[0], np.full(len(columns), _POWERS[-1])
    for core in _CORES_PX:
        fits = [
            _solve_wing(value[:, some], weight[:, some], distance, above, core, power) for power in _POWERS
        ]
        costs = np.array([np.bincount(group, cost) for _, cost in fits])
        total = float(costs.min(axis=0).sum())
        if total < best_cost:
            powers = np.interp(_minimum_between(costs), np.arange(len(_POWERS)), _POWERS)
            centres = np.bincount(group, some) / np.maximum(np.bincount(group), 1)
            best_cost, best_core, best_power = total, core, np.interp(columns, centres, powers)
    return _solve_wing(value, weight, distance, above, best_core, best_power)[0]


def _solve_wing(
    value: np.ndarray,
    weight: np.ndarray,
    distance: np.ndarray,
    above: np.ndarray,
    core: float,
    power: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Wing (rows, C) and weighted squared residual (C,) of the fit at a core and a power (one or (C,))."""
    base = (distance**2 + core**2) / _WING_STARTS_PX**2
    shape = np.broadcast_to(base[:, None] ** (-0.5 * np.asarray(power)), value.shape)
    below, over = np.where(above[:, None], 0.0, shape), np.where(above[:, None], shape, 0.0)
    design = np.stack([np.ones_like(shape), below, over], axis=2)  # (rows, C, 3)
    gram = np.einsum("rck,rc,rcl->ckl", design, weight, design) + 1e-9 * np.eye(3)
    right = np.einsum("rck,rc->ck", design, weight * value)
    amplitude = np.linalg.solve(gram, right[..., None])[..., 0]
    cost = (weight * (value - np.einsum("rck,ck->rc", design, amplitude)) ** 2).sum(axis=0)
    amplitude = np.maximum(amplitude, 0.0)
    return below * amplitude[:, 1] + over * amplitude[:, 2], cost


def _minimum_between(costs: np.ndarray) -> np.ndarray:
    """Fractional index of each column's minimum, by the parabola through the three lowest values."""
    n = len(costs)
    k = np.clip(costs.argmin(axis=0), 1, n - 2)
    g = np.arange(costs.shape[1])
    below, at, above = costs[k - 1, g], costs[k, g], costs[k + 1, g]
    curvature = below - 2 * at + above
    step = np.where(curvature > 0, 0.5 * (below - above) / np.where(curvature > 0, curvature, 1.0), 0.0)
    return np.clip(k + np.clip(step, -1.0, 1.0), 0.0, n - 1.0)


def estimate_window_foreground(
    mean: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    *,
    n_window: int,
    bad: np.ndarray,
    remove_wing: bool = True,
) -> tuple[float, float]:
    """Foreground of FGS1, e⁻ per pixel and exposure, and the mean star light in a corner pixel.

    mean, row, column, bad : (P,), the window's pixels first, then the corners'. The wing is A·(r² +
    r_c²)^(−p/2), fitted to medians over rings of the outer window and to the corners.
    """
    corner = np.arange(len(mean)) >= n_window
    usable = corner & ~bad
    if not usable.any():
        return 0.0, 0.0
    plain = float(mean[usable].mean())
    core = np.where(~corner & ~bad, np.maximum(mean - plain, 0.0), 0.0)
    if not remove_wing or core.sum() <= 0:
        return plain, 0.0
    distance = np.hypot(row - (row * core).sum() / core.sum(), column - (column * core).sum() / core.sum())
    starts = np.arange(_WING_STARTS_PX, distance[~corner].max() + 1.0)
    rings = [~corner & ~bad & (distance >= start) & (distance < start + 1) for start in starts]
    rings = [ring for ring in rings if ring.sum() >= _FEWEST_IN_RING]
    if len(rings) < 3:
        return plain, 0.0
    r = np.array([distance[ring].mean() for ring in rings])
    # a median: the PSF has streaks, of which a mean would make a wing in all directions
    value = np.array([np.median(mean[ring]) for ring in rings])
    count = np.array([ring.sum() for ring in rings] + [usable.sum()])
    target = np.r_[value, plain]
    weight = 1.0 / np.hypot(0.5 / np.sqrt(count), 0.1 * np.maximum(target - target.min(), 0.0))
    best_cost, wing = np.inf, 0.0
    for width in _CORES_PX:
        for power in _POWERS:
            shape = (r**2 + width**2) ** (-0.5 * power)
            at_corner = ((distance[usable] ** 2 + width**2) ** (-0.5 * power)).mean()
            design = np.stack([np.ones(len(r) + 1), np.r_[shape, at_corner] / shape[0]], axis=1)
            solution, *_ = np.linalg.lstsq(design * weight[:, None], target * weight, rcond=None)
            cost = float((((design @ solution - target) * weight) ** 2).sum())
            if cost < best_cost:
                best_cost, wing = cost, max(0.0, float(solution[1])) * at_corner / shape[0]
    return plain - wing, float(wing)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over columns of a running median; gaps (NaN) are bridged."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    index = np.arange(len(values))
    values = np.interp(index, index[known], values[known])
    half = min(_SMOOTH, len(values)) // 2
    for reduce in (np.median, np.mean):  # odd reflection keeps a slope at the ends
        before, behind = 2 * values[0] - values[half:0:-1], 2 * values[-1] - values[-2 : -half - 2 : -1]
        padded = np.concatenate([before, values, behind])
        values = reduce(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return values
