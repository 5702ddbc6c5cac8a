"""What the train planets teach beside spectra: with the label given, a light curve tells its orbit, its limb
darkening, its drift, and how far the depth that it shows is from the label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.robust import mad_sigma
from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.priors.given_label import GivenLabels, GivenPosterior
from spectramind_kit.transit.priors.label_mismatch import LabelMismatch, MismatchMoments, default_mismatch
from spectramind_kit.transit.priors.learn_orbit import learn_orbit
from spectramind_kit.transit.priors.nuisance_prior import (
    LIMB,
    NuisancePrior,
    clock_places,
    drift_places,
    warmth,
)

_MIN_PLANETS = 12  # docs/decisions.md D16
_EM_STEPS = 8
_DRIFT_PRIOR_VISITS = 0.3
_START_FLOOR = 5e-5
# flags of planets that would teach something wrong
_UNSETTLED = (flags.NO_INFORMATION, flags.NOT_CONVERGED, flags.GRAZING)


def learn_nuisances(
    measurements: Sequence[DepthMeasurement], depths: np.ndarray, *, default: NuisancePrior | None = None
) -> tuple[NuisancePrior, LabelMismatch]:
    """Means and widths of the nuisances and of the labels' mismatch over the train planets (``depths``: their
    labels (N, W)), by EM on the likelihoods given the labels.

    Returns the defaults when fewer than 12 planets can be used. Widths shrink to the defaults for small N.
    """
    default = default or NuisancePrior()
    groups: dict[tuple[str, ...], list[tuple[DepthMeasurement, np.ndarray]]] = {}
    for m, label in zip(measurements, np.asarray(depths, dtype=np.float64)):
        if np.isfinite(label).all() and m.visits and not flags.has(m.flags, *_UNSETTLED):
            groups.setdefault(m.nuisance_names, []).append((m, label))
    if sum(map(len, groups.values())) < _MIN_PLANETS:
        return default, default_mismatch()
    given = [GivenLabels.of(group) for group in groups.values()]
    prior, mismatch = default, default_mismatch(floor=_START_FLOOR)
    for _ in range(_EM_STEPS):
        before = prior, mismatch
        posteriors = [g.posterior(*before) for g in given]
        prior = _updated(prior, given, posteriors, default=default)
        mismatch = mismatch.updated(MismatchMoments.joined([p.mismatch for p in posteriors]))
    return replace(prior, **learn_orbit(given, *before)), mismatch


def _updated(
    before: NuisancePrior,
    given: Sequence[GivenLabels],
    posteriors: Sequence[GivenPosterior],
    *,
    default: NuisancePrior,
) -> NuisancePrior:
    """One M step."""
    limb_mean, limb_covariance = _limb_darkening(given, posteriors)
    drift = _drift_variance(given, posteriors, before.drift_covariance)
    offset, variance = (v[:, 0] for v in _of_visits(given, posteriors, clock_places, 1))
    weight = 1.0 / (variance + 1e-6)
    offset_mean = float(np.sum(offset * weight) / np.sum(weight))
    # shrunk, like four visits, to half of the default's width
    known = np.sum((offset - offset_mean) ** 2 + variance) + 4 * (0.5 * default.time_offset_scatter) ** 2
    return replace(
        before,
        time_offset_mean=offset_mean,
        time_offset_scatter=math.sqrt(max(float(known / (len(offset) + 4)), 1e-8)),
        limb_mean=limb_mean,
        limb_covariance=limb_covariance,
        drift_mean=np.zeros(len(drift)),
        drift_covariance=np.diag(drift),
        learned_from=sum(map(len, given)),
    )


def _limb_darkening(
    given: Sequence[GivenLabels], posteriors: Sequence[GivenPosterior]
) -> tuple[np.ndarray, np.ndarray]:
    """A line in the star's temperature (2, 8), and the scatter about it (8, 8)."""
    warm = warmth(np.concatenate([g.table.temperature_k.numpy() for g in given]))
    design = np.stack([np.ones(len(warm)), warm], axis=1)
    values = np.concatenate([p.mean[:, LIMB] for p in posteriors])
    spread = np.concatenate([p.covariance[:, LIMB, LIMB] for p in posteriors])
    weight = _robust_rows(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])
    weight = weight * np.concatenate([p.mismatch.trust for p in posteriors])
    default_mean, default_sd = (v[0, LIMB].numpy() for v in (given[0].table.mean, given[0].table.sd))
    start = np.array([default_mean, np.zeros(len(default_mean))])
    weighted = design * weight[:, None]
    normal = weighted.T @ design + np.diag([0.5, 4.0])
    mean = start + np.linalg.solve(normal, weighted.T @ (values - design @ start))
    rest = values - design @ mean
    scatter = np.einsum("n,nij->ij", weight, rest[:, :, None] * rest[:, None, :] + spread)
    return mean, (scatter + 6.0 * np.diag((0.3 * default_sd) ** 2)) / (weight.sum() + 6.0)


def _drift_variance(
    given: Sequence[GivenLabels], posteriors: Sequence[GivenPosterior], before: np.ndarray | None
) -> np.ndarray:
    """Variance (D,) of each drift coefficient (their signs are random: no correlation to learn).

    MacKay's fixed point, sum m^2 / sum (1 - v / s^2): it gives up a coefficient that no visit needs in a few
    steps, where plain EM takes hundreds. Shrunk to the fits' own by a third of a visit.
    """
    default = _own_drift(given)
    prior = default if before is None else np.diagonal(before)
    rows, variances = _of_visits(given, posteriors, drift_places, len(default))
    weight = _robust_rows(rows)[:, None]
    # share of each coefficient that the data determine
    known = (weight * np.clip(1.0 - variances / prior, 0.02, 1.0)).sum(0)
    moved = ((weight * rows**2).sum(0) + _DRIFT_PRIOR_VISITS * default) / (known + _DRIFT_PRIOR_VISITS)
    return np.clip(moved, 0.1 * prior, 10.0 * prior)


def _own_drift(given: Sequence[GivenLabels]) -> np.ndarray:
    """Median over the visits of the drift variances (D,) that the fits found; D as most have it."""
    rows = [
        row
        for g in given
        for visit in g.table.visits
        for row in g.table.sd[:, drift_places(g.table.names, visit)].square().numpy()
    ]
    sizes = [len(row) for row in rows]
    size = max(set(sizes), key=sizes.count)
    return np.median([row for row in rows if len(row) == size], axis=0)


def _of_visits(
    given: Sequence[GivenLabels],
    posteriors: Sequence[GivenPosterior],
    places: Callable[[tuple[str, ...], int], np.ndarray],
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (V, ``size``) at ``places(names, visit)``, of the V visits that have so many."""
    found = [
        (p.mean[:, at], p.variance[:, at])
        for g, p in zip(given, posteriors)
        for visit in g.table.visits
        if len(at := places(g.table.names, visit)) == size
    ]
    means, variances = zip(*found)
    return np.concatenate(means), np.concatenate(variances)


def _robust_rows(rows: np.ndarray) -> np.ndarray:
    """Weights (N,) in (0, 1] that keep a few wild rows from setting the covariance."""
    distance = np.mean((rows / (mad_sigma(rows, 0, centre=0.0) + 1e-12)) ** 2, axis=1)
    return np.minimum(1.0, 6.0 / np.maximum(distance, 1e-9))
