"""The foreground: light that is not the star's, measured where the star hardly shines.

Diffraction spreads a star over the whole detector, so edge pixels hold star light too. Taking all of it for foreground
subtracts 0.6–0.8 % of the star and biases every depth by as much; so the wing is fitted and left out.
"""

from __future__ import annotations

import numpy as np

# A diffraction wing falls as r^-3, summed along one axis as r^-2; a Gaussian's fall looks steeper than any of these.
_POWERS = np.arange(1.4, 8.01, 0.2)


def estimate_trace_foreground(mean: np.ndarray, rows: np.ndarray, *, edge: np.ndarray, bad: np.ndarray,
                              remove_wing: bool = True) -> tuple[np.ndarray, float]:
    """Foreground of each AIRS-CH0 column, (C,) e⁻ per pixel and exposure, and the share of a column's star light that
    one edge pixel holds.

    Parameters
    ----------
    mean : (R, C) mean image over the visit. rows : (R,) detector row of each.
    edge : (R,) bool, rows that measure the foreground. bad : (R, C) bool.

    The model is image(r, c) = f(c) + F(c)·(A₋ or A₊)·|r − r₀|^−p with the column's star light F(c): rows at the edge and
    the outer rows of the trace determine p and the amplitudes above and below; f(c) then comes from the edges alone.
    """
    rows = rows.astype(float)
    good = ~bad
    counts = (good & edge[:, None]).sum(axis=0)
    plain = np.where(counts > 0, np.where(good & edge[:, None], mean, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    plain = _fill_gaps(plain)
    star = np.where(good & ~edge[:, None], mean - plain, 0.0).sum(axis=0)
    if not remove_wing or not (star > 0).any():
        return plain, 0.0
    star = np.maximum(star, 0.0)
    profile_all = np.array([_ratio(mean[r] - plain, star, good[r]) for r in range(len(rows))])
    core = np.maximum(np.where(edge, 0.0, profile_all), 0.0)
    centre = float((rows * core).sum() / core.sum())
    distance = np.abs(rows - centre)
    outer = edge | (distance >= 5.5)
    if outer.sum() < edge.sum() + 2:
        return plain, 0.0
    # relative to the plain estimate, a row's profile is h(r) − (mean of h over the edges): one constant is open,
    # and the shape of the wing closes it
    h, r, side = profile_all[outer], distance[outer], rows[outer] > centre
    weight = 1.0 / (np.abs(h) + 0.2 * np.abs(h).max() + 1e-12)
    best = None
    for power in _POWERS:
        wing = r ** -power
        design = np.stack([np.ones_like(wing), np.where(side, 0.0, wing), np.where(side, wing, 0.0)], axis=1)
        coefficients, *_ = np.linalg.lstsq(design * weight[:, None], h * weight, rcond=None)
        cost = float((((design @ coefficients - h) * weight) ** 2).sum())
        if (coefficients[1:] >= 0).all() and (best is None or cost < best[0]):
            best = (cost, power, coefficients[1:])
    if best is None:
        return plain, 0.0
    _, power, (below, above) = best
    shape = np.where(rows > centre, above, below) * np.maximum(distance, 1.0) ** -power
    edge_share = (np.where(good & edge[:, None], shape[:, None], 0.0).sum(axis=0) / np.maximum(counts, 1))
    return plain - edge_share * star, float(shape[edge].mean())


def estimate_window_foreground(mean: np.ndarray, row: np.ndarray, column: np.ndarray, *, n_window: int, bad: np.ndarray,
                               remove_wing: bool = True) -> tuple[float, float]:
    """Foreground of FGS1, e⁻ per pixel and exposure, and the mean star light in a corner pixel.

    mean, row, column, bad : (P,), the window's pixels first, then the corners'. The wing is A·r^−3, fitted to the outer
    part of the window and to the corners.
    """
    corner = np.arange(len(mean)) >= n_window
    usable = corner & ~bad
    if not usable.any():
        return 0.0, 0.0
    plain = float(mean[usable].mean())
    if not remove_wing:
        return plain, 0.0
    core = np.where(~corner & ~bad, np.maximum(mean - plain, 0.0), 0.0)
    if core.sum() <= 0:
        return plain, 0.0
    r0, c0 = (row * core).sum() / core.sum(), (column * core).sum() / core.sum()
    distance = np.hypot(row - r0, column - c0)
    # medians over rings: the PSF has streaks, of which a mean would make a wing in all directions
    rings = np.arange(7.0, distance[~corner].max() + 1.0)
    points = [(distance[m].mean(), np.median(mean[m])) for a in rings
              if (m := ~corner & ~bad & (distance >= a) & (distance < a + 1)).sum() >= 8]
    if len(points) < 2:
        return plain, 0.0
    r, value = np.array(points).T
    corner_wing = float((distance[usable] ** -3.0).mean())
    design = np.stack([np.ones(len(r) + 1), np.r_[r ** -3.0, corner_wing]], axis=1)
    weight = np.r_[np.full(len(r), 1.0), 4.0]
    (_, amplitude), *_ = np.linalg.lstsq(design * weight[:, None], np.r_[value, plain] * weight, rcond=None)
    wing = max(0.0, float(amplitude)) * corner_wing
    return plain - wing, wing


def _ratio(values: np.ndarray, star: np.ndarray, good: np.ndarray) -> float:
    """Share of the columns' star light in one row, least squares over its good columns."""
    weight = np.where(good, star, 0.0)
    total = (weight * star).sum()
    return float((weight * values).sum() / total) if total > 0 else 0.0


def _fill_gaps(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    index = np.arange(len(values))
    return np.interp(index, index[known], values[known])
