"""What the direct prediction reads of a visit: no anchor, no prior, no table that may be off.

The light curves over the star's own level and the white drift, less a trapezoid of one depth, on a grid of
phases whose timing is that of `find_white_transit`. One row is one visit; names and shapes as in
`models.batch.CONTRACT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.metric import N_BINS
from spectramind_kit.robust import median_of_known
from spectramind_kit.transit.white_transit import WhiteTransit, drift_basis, find_white_transit, white_curve

# Phase 1 is the middle of egress. Ingress and egress are resolved, the rest of a visit is kept in wider bins.
_FAR = np.array([2.2, 2.6, 3.1, 3.8, 5.0, 8.0])
PHASE_EDGES = np.r_[-_FAR[::-1], np.linspace(-2.0, 2.0, 51), _FAR]
PHASES = 0.5 * (PHASE_EDGES[1:] + PHASE_EDGES[:-1])
# A thirtieth of the white depth: what limb darkening and a spectrum change the flux by is of order 1 in it.
UNITS_OF_A_DEPTH = 30.0
_LIMIT = 150.0  # units: five depths
_NO_ERROR = 1.0  # error of a bin that is missing, in white depths
_LOG_RANGE = (1e-6, 10.0)
_LEAST_DEPTH = 1e-5  # a depth below 10 ppm is none
_STARS_IN_LOG = ("Rs", "Ms", "Ts", "Mp", "P", "sma")


def direct_rows(
    light_curves: Mapping[int, Sequence[LightCurve]], *, stars: pd.DataFrame
) -> list[dict[str, Any]]:
    """`direct_row` of every visit in which a transit is found."""
    rows = []
    for planet, curves in light_curves.items():
        star = stars.loc[planet].to_dict() if planet in stars.index else {}
        found = (direct_row(curve, star=star) for curve in curves)
        rows += [row for row in found if row is not None]
    return rows


def direct_row(light_curve: LightCurve, *, star: Mapping[str, float]) -> dict[str, Any] | None:
    """Arrays of one visit, not yet standardised; None where no transit is found in its white light curve."""
    light_curve = _with_errors(light_curve)
    if light_curve is None:
        return None
    time, white = np.asarray(light_curve.time, dtype=np.float64), white_curve(light_curve)
    transit = find_white_transit(time, white)
    if transit is None or transit.depth < _LEAST_DEPTH:
        return None
    shape = transit.shape(time)
    basis = np.column_stack([drift_basis(time), shape])
    flux = np.column_stack([np.asarray(light_curve.flux, dtype=np.float64), white])
    level, drift, depth = _levels(flux, basis)
    relative = flux / level / drift - 1.0 - transit.depth * shape[:, None]
    unit = transit.depth / UNITS_OF_A_DEPTH
    seen = np.isfinite(flux).any(axis=1)
    series, weight = _on_phases(np.column_stack([relative / unit, shape]), time, transit, seen=seen)
    error = median_of_known(light_curve.flux_err, axis=0) / level[:-1] / transit.depth
    error = np.nan_to_num(error, nan=_NO_ERROR, posinf=_NO_ERROR)
    return {
        "planet_id": light_curve.planet_id,
        "visit": light_curve.visit,
        "fgs1": series[:, 0],
        "white": series[:, -2],
        "airs": series[:, 1:-2],
        "transit_shape": series[:, -1],
        "time": PHASES,
        "mask": weight > 0,
        "weight": weight,
        "bins": _bin_features(error, depth[:-1] / transit.depth),
        "star": _star_features(star, transit, error, time),
        "reference_depth": np.full(N_BINS, transit.depth),
        "reference_err": np.full(N_BINS, unit),
        "wavelength_um": light_curve.wavelength_um,
    }


def _with_errors(light_curve: LightCurve) -> LightCurve | None:
    """Points whose error is 0 or less are missing, as for the anchor; None where no other is left."""
    good = ~(light_curve.flux_err <= 0.0)
    if good.all():
        return light_curve
    flux, flux_err = (np.where(good, values, np.nan) for values in (light_curve.flux, light_curve.flux_err))
    return replace(light_curve, flux=flux, flux_err=flux_err) if np.isfinite(flux).any() else None


def _levels(flux: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level (W,), drift (T, W) around 1 and depth (W,) of each series of flux (T, W), by least squares.

    The series are FGS1, AIRS-CH0 bin by bin, and the white one last, whose drift all of AIRS-CH0 takes. What
    is missing altogether has level NaN.
    """
    coefficients = np.full((basis.shape[1], flux.shape[1]), np.nan)
    finite = np.isfinite(flux)
    whole = finite.all(axis=0)
    coefficients[:, whole] = np.linalg.lstsq(basis, flux[:, whole], rcond=None)[0]
    for k in np.flatnonzero(~whole & (finite.sum(axis=0) > basis.shape[1])):
        seen = finite[:, k]
        coefficients[:, k] = np.linalg.lstsq(basis[seen], flux[seen, k], rcond=None)[0]
    level = np.where(coefficients[0] > 0, coefficients[0], np.nan)
    own = basis[:, :3] @ coefficients[:3] / level
    drift = np.repeat(own[:, -1:], flux.shape[1], axis=1)
    drift[:, 0] = own[:, 0]
    return level, drift, coefficients[3] / level


def _on_phases(
    values: np.ndarray, time: np.ndarray, transit: WhiteTransit, *, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (P, W) of values (T, W) in the bins of phase, 0 where there is none, and each bin's share of the
    steps that are ``seen`` (P,)."""
    finite = np.isfinite(values)
    bins = np.digitize(2.0 * (time - transit.mid_time) / transit.length, PHASE_EDGES) - 1
    inside = (bins >= 0) & (bins < len(PHASES)) & seen
    member = np.zeros((len(PHASES), len(time)))
    member[bins[inside], np.flatnonzero(inside)] = 1.0
    known = np.clip(np.where(finite, values, 0.0), -_LIMIT, _LIMIT)
    count = member @ finite if not finite.all() else member.sum(axis=1, keepdims=True)
    steps = member.sum(axis=1)
    return member @ known / np.maximum(count, 1.0), steps / max(steps.sum(), 1.0)


def _bin_features(error: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(283, 4): error of a step, its logarithm and the trapezoid's own depth, all in white depths; FGS1."""
    log_error = np.log(np.clip(error, *_LOG_RANGE))
    own = np.clip(np.nan_to_num(UNITS_OF_A_DEPTH * (depth - 1.0)), -_LIMIT, _LIMIT)
    is_fgs1 = np.r_[1.0, np.zeros(N_BINS - 1)]
    return np.stack([log_error, np.minimum(error, _NO_ERROR), own, is_fgs1], axis=-1)


def _star_features(
    star: Mapping[str, float], transit: WhiteTransit, error: np.ndarray, time: np.ndarray
) -> dict[str, float]:
    """Of the star table, of the white transit, and of the noise."""
    known = {name: float(star[name]) for name in (*_STARS_IN_LOG, "i") if name in star}
    logs = {name: known[name] for name in _STARS_IN_LOG if known.get(name, 0.0) > 0.0}
    white_error = 1.0 / np.sqrt(np.sum(error[1:] ** -2.0))
    return {
        "i": known.get("i", np.nan),
        **{f"log_{name}": float(np.log(logs[name])) if name in logs else np.nan for name in _STARS_IN_LOG},
        "log_depth": float(np.log(transit.depth)),
        "log_length": float(np.log(transit.length)),
        "ingress": transit.ingress,
        "off_centre": float((transit.mid_time - time.mean()) / transit.length),
        "log_white_error": float(np.log(white_error)),
        "log_fgs1_error": float(np.log(np.clip(error[0], *_LOG_RANGE))),
        "no_airs": float(error[1:].min() >= _NO_ERROR),
        "no_fgs1": float(error[0] >= _NO_ERROR),
    }
