"""Nuisance priors from the train planets: with the label given, a light curve tells its orbit, its limb darkening, its drift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.transit.linear_model import LIMB_NAMES
from spectramind_kit.transit.measurement import DepthMeasurement
from spectramind_kit.transit.nuisance_prior import (TEMPERATURE_PIVOT_K, TEMPERATURE_UNIT_K, NuisancePrior, OrbitPoint,
                                                    drift_places)

_MIN_PLANETS = 12
_LABEL_SCATTER = 0.003        # relative: labels differ from any transit's depth by stellar contamination and dilution
_SHAPE_SCATTER = 2e-6
_EM_STEPS = 8
_DRIFT_PRIOR_VISITS = 0.3
_LIMB = np.arange(2, 2 + len(LIMB_NAMES))


@dataclass(frozen=True)
class _Given:
    """One planet's information on its nuisances, its label being known."""

    measurement: DepthMeasurement
    information: np.ndarray   # (K, K)
    score: np.ndarray         # (K,) at the reference


def _given_label(m: DepthMeasurement, depth: np.ndarray) -> _Given:
    """Eliminate a common relative error of the label, then condition on it."""
    w = len(depth)
    gap = depth - m.reference_depth
    common_d, common_n = m.common[:w], m.common[w:]
    coupling = m.coupling - common_d @ common_n.T
    info = m.nuisance_information - common_n @ common_n.T
    score = m.nuisance_score - coupling.T @ gap
    # two directions in which the label may be off: all of it, and FGS1 alone
    directions = np.stack([depth, np.where(np.arange(w) == 0, depth, 0.0)], axis=1)
    sd = np.array([_LABEL_SCATTER, _LABEL_SCATTER])
    along = m.depth_information[:, None] * directions - common_d @ (common_d.T @ directions)
    own = directions.T @ along + np.diag(1.0 / sd**2)
    cross = directions.T @ coupling
    score_own = directions.T @ (m.depth_score - m.depth_information * gap + common_d @ (common_d.T @ gap))
    solved = np.linalg.solve(own, np.c_[cross, score_own])
    return _Given(m, info - cross.T @ solved[:, :-1], score - cross.T @ solved[:, -1])


def learn_nuisance_prior(measurements: Sequence[DepthMeasurement], depths: np.ndarray) -> NuisancePrior:
    """Means and widths of the nuisances over the train planets, by EM on the likelihoods given the labels.

    Returns the default prior when fewer than 12 planets can be used. Widths shrink to the defaults for small N.
    """
    default = NuisancePrior()
    given = [_given_label(m, np.asarray(d, dtype=np.float64)) for m, d in zip(measurements, depths)
             if np.isfinite(d).all() and m.visits and "no information" not in m.flags]
    if len(given) < _MIN_PLANETS:
        return default
    shape = _common_drift_shape(given)
    prior, start_drift = default, _default_drift(given, shape)
    for step in range(_EM_STEPS):
        posteriors = [_posterior(g, prior) for g in given]
        prior = _update(given, posteriors, start_drift, orbit=_learn_orbit(given, prior) if step == _EM_STEPS - 1 else None,
                        before=prior)
    return prior


def _common_drift_shape(given: Sequence[_Given]) -> int:
    counts = [len(drift_places(g.measurement.nuisance_names, v.visit)) for g in given for v in g.measurement.visits]
    return max(set(counts), key=counts.count)


def _default_drift(given: Sequence[_Given], count: int) -> np.ndarray:
    """Median over the visits of the drift variances (D,) that the fits themselves found."""
    rows = [g.measurement.nuisance_sd[places] ** 2 for g in given for v in g.measurement.visits
            if len(places := drift_places(g.measurement.nuisance_names, v.visit)) == count]
    return np.median(np.array(rows), axis=0)


def _posterior(g: _Given, prior: NuisancePrior) -> tuple[np.ndarray, np.ndarray]:
    """Mean (absolute) and covariance of the nuisances, label given."""
    precision, pull = prior.terms(g.measurement)
    covariance = np.linalg.inv(_symmetric(g.information + precision))
    return g.measurement.nuisance_reference + covariance @ (g.score + pull), covariance


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + matrix.T) + 1e-12 * np.diag(np.diagonal(matrix))


def _update(given: Sequence[_Given], posteriors: Sequence[tuple[np.ndarray, np.ndarray]], start_drift: np.ndarray, *,
            orbit: dict[str, float] | None, before: NuisancePrior) -> NuisancePrior:
    """One M step."""
    n = len(given)
    # limb darkening: a line in the star's temperature
    warmth = np.array([np.clip((float(g.measurement.star.get("Ts", TEMPERATURE_PIVOT_K)) - TEMPERATURE_PIVOT_K)
                               / TEMPERATURE_UNIT_K, -4.0, 3.0) for g in given])
    design = np.stack([np.ones(n), warmth], axis=1)
    values = np.array([mean[_LIMB] for mean, _ in posteriors])
    start = np.array([given[0].measurement.nuisance_mean[_LIMB], np.zeros(len(_LIMB))])
    weight = _robust_rows(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])
    gram = (design * weight[:, None]).T @ design + np.diag([0.5, 4.0])
    limb_mean = start + np.linalg.solve(gram, (design * weight[:, None]).T @ (values - design @ start))
    default_sd = given[0].measurement.nuisance_sd[_LIMB]
    rest = values - design @ limb_mean
    scatter = sum(w * (np.outer(r, r) + c[np.ix_(_LIMB, _LIMB)]) for w, r, (_, c) in zip(weight, rest, posteriors))
    limb_covariance = (scatter + 6.0 * np.diag((0.3 * default_sd) ** 2)) / (weight.sum() + 6.0)

    # drift: a variance per coefficient (their signs are random from visit to visit: no correlation to learn)
    rows, spreads, offsets, offset_var = [], [], [], []
    for g, (mean, covariance) in zip(given, posteriors):
        for visit in g.measurement.visits:
            places = drift_places(g.measurement.nuisance_names, visit.visit)
            k = g.measurement.index(f"time_offset_{visit.visit}")
            offsets.append(mean[k])
            offset_var.append(covariance[k, k])
            if len(places) == len(start_drift):
                rows.append(mean[places])
                spreads.append(np.diagonal(covariance)[places])
    drift_covariance = np.diag(_drift_variance(np.array(rows), np.array(spreads), before.drift_covariance, start_drift))
    offset, var = np.array(offsets), np.array(offset_var)
    offset_mean = float(np.sum(offset / (var + 1e-6)) / np.sum(1.0 / (var + 1e-6)))
    offset_sd = math.sqrt(max(float(np.mean((offset - offset_mean) ** 2 + var) * len(offset) + 4 * 0.005**2) / (len(offset) + 4), 1e-8))
    return NuisancePrior(**{**{k: getattr(before, k) for k in ("axis_offset", "kepler_share", "axis_scatter", "axis_tail",
                                                              "impact_scatter", "impact_tail")}, **(orbit or {})},
                         time_offset_mean=offset_mean, time_offset_scatter=offset_sd, limb_mean=limb_mean,
                         limb_covariance=limb_covariance, drift_mean=np.zeros(len(start_drift)), drift_covariance=drift_covariance,
                         learned_from=n)


def _drift_variance(rows: np.ndarray, variances: np.ndarray, before: np.ndarray | None, default: np.ndarray) -> np.ndarray:
    """Variance (D,) of each drift coefficient over V visits, from posterior means and variances (V, D).

    MacKay's fixed point, sum m^2 / sum (1 - v / s^2): it gives up a coefficient that no visit needs in a few steps,
    where plain EM takes hundreds. Shrunk to the fits' own by a third of a visit.
    """
    prior = default if before is None else np.diagonal(before)
    weight = _robust_rows(rows)[:, None]
    known = np.clip(1.0 - variances / prior, 0.02, 1.0)             # share of each coefficient that the data determine
    found = (weight * rows**2).sum(0), (weight * known).sum(0)
    moved = (found[0] + _DRIFT_PRIOR_VISITS * default) / (found[1] + _DRIFT_PRIOR_VISITS)
    return np.clip(moved, 0.1 * prior, 10.0 * prior)


def _robust_rows(rows: np.ndarray) -> np.ndarray:
    """Weights (N,) in (0, 1] that keep a few wild rows from setting the covariance."""
    sd = 1.4826 * np.median(np.abs(rows), axis=0) + 1e-12
    distance = np.mean((rows / sd) ** 2, axis=1)
    return np.minimum(1.0, 6.0 / np.maximum(distance, 1e-9))


def _learn_orbit(given: Sequence[_Given], prior: NuisancePrior) -> dict[str, float]:
    """How far orbits are from the star table: offset and scatter of ln a (table and Kepler mixed) and of b."""
    axis_gap, axis_var, kepler, impact_gap, impact_var = [], [], [], [], []
    wide = NuisancePrior(**{**{k: getattr(prior, k) for k in prior.__dataclass_fields__}, "axis_scatter": 0.3,
                            "axis_tail": 0.8, "impact_scatter": 0.3, "impact_tail": 0.6})
    for g in given:
        mean, covariance = _posterior(g, wide)
        point, table = OrbitPoint.of(g.measurement.orbit), g.measurement.orbit
        slope = point.log_axis_slope().numpy()
        step = mean[:2] - g.measurement.nuisance_reference[:2]
        axis_gap.append(float(point.log_axis) + float(slope @ step) - math.log(table["catalogue_axis"]))
        kepler.append(math.log(table["kepler_axis"] / table["catalogue_axis"]))
        axis_var.append(float(slope @ covariance[:2, :2] @ slope))
        b = math.sqrt(max(mean[1], 0.0))
        impact_gap.append(b - table["catalogue_impact"])
        impact_var.append(covariance[1, 1] / max(4.0 * mean[1], 2.0 * math.sqrt(covariance[1, 1])))
    gap, var, lean = np.array(axis_gap), np.array(axis_var), np.array(kepler)
    n, default = len(gap), NuisancePrior()
    core = np.abs(gap - np.median(gap)) < 4.0 * (1.4826 * np.median(np.abs(gap - np.median(gap))) + 0.01)
    weight = core / (var + 0.03**2)
    centred = lean - np.average(lean, weights=weight)
    share = float(np.sum(weight * centred * gap) / (np.sum(weight * centred**2) + 8.0 * np.median(weight) * 0.05**2))
    share = float(np.clip(share, 0.0, 1.0))
    left = gap - share * lean
    offset = float(np.sum(weight * left) / (np.sum(weight) + 4.0 / 0.03**2))
    impact, impact_noise = np.array(impact_gap), np.array(impact_var)
    return {"axis_offset": offset, "kepler_share": share,
            "axis_scatter": _intrinsic_scatter(left - offset, var, default.axis_scatter, n),
            "impact_scatter": _intrinsic_scatter(impact, impact_noise, default.impact_scatter, n)}


def _intrinsic_scatter(gap: np.ndarray, variance: np.ndarray, default: float, n: int) -> float:
    """Width of the core of ``gap`` beyond its measurement errors, shrunk to the default like eight planets."""
    grid = np.geomspace(0.003, 0.6, 40)
    tail = 0.5

    def log_likelihood(s: float) -> float:
        core = 0.95 / np.sqrt(variance + s**2) * np.exp(-0.5 * gap**2 / (variance + s**2))
        wide = 0.05 / np.sqrt(variance + tail**2) * np.exp(-0.5 * gap**2 / (variance + tail**2))
        return float(np.log(core + wide).sum()) - 2.0 * math.log(s / default) ** 2

    return float(grid[int(np.argmax([log_likelihood(s) for s in grid]))])
