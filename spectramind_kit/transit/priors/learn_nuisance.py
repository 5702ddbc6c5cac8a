"""What the train planets teach beside spectra: with the label given, a light curve tells its orbit, its limb
darkening, its drift, and how far the depth that it shows is from the label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import positive_inverse
from spectramind_kit.transit.priors.label_mismatch import (
    MODES,
    TERMS,
    LabelMismatch,
    default_mismatch,
    mismatch_basis,
)
from spectramind_kit.transit.priors.nuisance_prior import (
    LIMB,
    TEMPERATURE_PIVOT_K,
    TEMPERATURE_UNIT_K,
    NuisancePrior,
    NuisanceTable,
    drift_places,
)

_MIN_PLANETS = 12  # docs/decisions.md D16
_EM_STEPS = 8
_DRIFT_PRIOR_VISITS = 0.3
_START_FLOOR = 5e-5
# flags of planets that would teach something wrong
_UNSETTLED = (flags.NO_INFORMATION, flags.NOT_CONVERGED, flags.GRAZING)


@dataclass(frozen=True)
class _Given:
    """Planets of equal nuisances, their labels known: information on (mismatch, nuisances) at (0,
    reference)."""

    measurements: list[DepthMeasurement]
    table: NuisanceTable
    information: Tensor  # (N, 6 + K, 6 + K)
    score: Tensor  # (N, 6 + K)


@dataclass(frozen=True)
class _Posterior:
    """Of (mismatch, nuisances) of the planets of one `_Given`: moments, and where there is a mismatch."""

    mean: np.ndarray  # (N, K) nuisances, absolute
    covariance: np.ndarray  # (N, K, K)
    trust: np.ndarray  # (N,) probability that the fit did not go astray
    mismatched: np.ndarray  # (N,) probability of a mismatch
    mismatch: np.ndarray  # (N, 3) its mean where there is one
    second_moment: np.ndarray  # (N, 3, 3)
    absolute: np.ndarray  # (N, 3) the absolute errors
    absolute_variance: np.ndarray  # (N, 3)


def _given_label(m: DepthMeasurement, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Information and score with the depth held at label * (1 + B m) + B a."""
    w, k = len(label), m.n_nuisances
    depths, gap = mismatch_basis(m.wavelength_um, label), label - m.reference_depth
    common = np.concatenate([depths.T @ m.common_noise[:w], m.common_noise[w:]])
    information = np.zeros((TERMS + k, TERMS + k))
    information[:TERMS, :TERMS] = depths.T @ (m.depth_information[:, None] * depths)
    information[:TERMS, TERMS:] = depths.T @ m.coupling
    information[TERMS:, :TERMS] = information[:TERMS, TERMS:].T
    information[TERMS:, TERMS:] = m.nuisance_information
    common_gap = m.common_noise[:w].T @ gap
    score = (
        np.r_[depths.T @ (m.depth_score - m.depth_information * gap), m.nuisance_score - m.coupling.T @ gap]
        + common @ common_gap
    )
    return information - common @ common.T, score


def learn_nuisances(
    measurements: Sequence[DepthMeasurement], depths: np.ndarray
) -> tuple[NuisancePrior, LabelMismatch]:
    """Means and widths of the nuisances and of the labels' mismatch over the train planets, by EM on the
    likelihoods given the labels.

    Returns the defaults when fewer than 12 planets can be used. Widths shrink to the defaults for small N.
    """
    usable = [
        (m, np.asarray(d, dtype=np.float64))
        for m, d in zip(measurements, depths)
        if np.isfinite(d).all() and m.visits and not flags.has(m.flags, *_UNSETTLED)
    ]
    if len(usable) < _MIN_PLANETS:
        return NuisancePrior(), default_mismatch()
    by_names: dict[tuple[str, ...], list[tuple[DepthMeasurement, np.ndarray]]] = {}
    for m, d in usable:
        by_names.setdefault(m.nuisance_names, []).append((m, d))
    given = []
    for group in by_names.values():
        information, score = zip(*(_given_label(m, d) for m, d in group))
        members = [m for m, _ in group]
        given.append(
            _Given(
                members,
                NuisanceTable.of(members),
                torch.as_tensor(np.array(information)),
                torch.as_tensor(np.array(score)),
            )
        )
    start_drift = _default_drift(given, _common_drift_shape(given))
    prior, mismatch = NuisancePrior(), default_mismatch(floor=_START_FLOOR)
    for step in range(_EM_STEPS):
        posteriors = [_posterior(g, prior, mismatch) for g in given]
        orbit = _learn_orbit(given, prior, mismatch) if step == _EM_STEPS - 1 else {}
        prior = _update(given, posteriors, start_drift, orbit=orbit, before=prior)
        mismatch = mismatch.updated(
            *(
                np.concatenate([getattr(p, name) for p in posteriors])
                for name in (
                    "mismatch",
                    "second_moment",
                    "mismatched",
                    "absolute",
                    "absolute_variance",
                    "trust",
                )
            )
        )
    return prior, mismatch


def _posterior(g: _Given, prior: NuisancePrior, mismatch: LabelMismatch) -> _Posterior:
    """All possibilities, a label that fits, one that does not, a fit that went astray, weighted by their
    evidence."""
    precision, pull = prior.terms(g.table)
    means, covariances, log_weight = [], [], []
    for component in (*mismatch.components(), mismatch.gross()):
        centre = torch.as_tensor(component.mean)
        own, log_det_own = (
            value[0] for value in positive_inverse(torch.as_tensor(component.covariance)[None])
        )
        total, rhs = g.information.clone(), g.score.clone()
        total[:, TERMS:, TERMS:] += precision
        total[:, :TERMS, :TERMS] += own
        rhs[:, TERMS:] += pull
        rhs[:, :TERMS] += own @ centre
        covariance, log_det = positive_inverse(total)
        means.append((covariance @ rhs[..., None])[..., 0])
        covariances.append(covariance)
        density = math.log(component.share) - 0.5 * float(log_det_own) - 0.5 * float(centre @ own @ centre)
        log_weight.append(0.5 * ((rhs * means[-1]).sum(1) - log_det) + density)
    chance = torch.softmax(torch.stack(log_weight), dim=0)  # (3, N)
    weight = chance[:2] / chance[:2].sum(0).clamp_min(1e-300)
    stacked, spread = torch.stack(means[:2]), torch.stack(covariances[:2])
    mean = (weight[..., None] * stacked).sum(0)
    gap = stacked - mean
    covariance = (weight[..., None, None] * (spread + gap[..., :, None] * gap[..., None, :])).sum(0)
    some = stacked[1][:, :MODES]
    return _Posterior(
        mean=(g.table.reference + mean[:, TERMS:]).numpy(),
        covariance=covariance[:, TERMS:, TERMS:].numpy(),
        trust=(1.0 - chance[2]).numpy(),
        mismatched=chance[1].numpy(),
        mismatch=some.numpy(),
        absolute=mean[:, MODES:TERMS].numpy(),
        absolute_variance=covariance.diagonal(dim1=1, dim2=2)[:, MODES:TERMS].numpy(),
        second_moment=(spread[1][:, :MODES, :MODES] + some[:, :, None] * some[:, None, :]).numpy(),
    )


def _common_drift_shape(given: Sequence[_Given]) -> int:
    counts = [
        len(drift_places(g.table.names, visit))
        for g in given
        for visit in g.table.visits
        for _ in g.measurements
    ]
    return max(set(counts), key=counts.count)


def _default_drift(given: Sequence[_Given], count: int) -> np.ndarray:
    """Median over the visits of the drift variances (D,) that the fits themselves found."""
    rows = [
        g.table.sd[:, places].square().numpy()
        for g in given
        for visit in g.table.visits
        if len(places := drift_places(g.table.names, visit)) == count
    ]
    return np.median(np.concatenate(rows), axis=0)


def _update(
    given: Sequence[_Given],
    posteriors: Sequence[_Posterior],
    start_drift: np.ndarray,
    *,
    orbit: dict[str, float],
    before: NuisancePrior,
) -> NuisancePrior:
    """One M step."""
    limb_mean, limb_covariance = _limb_darkening(given, posteriors)
    # drift: a variance per coefficient (their signs are random from visit to visit: no correlation to learn)
    rows, spreads, offsets, offset_vars = [], [], [], []
    for g, p in zip(given, posteriors):
        variance = np.diagonal(p.covariance, axis1=1, axis2=2)
        for visit in g.table.visits:
            places, k = drift_places(g.table.names, visit), g.table.names.index(f"time_offset_{visit}")
            offsets.append(p.mean[:, k])
            offset_vars.append(variance[:, k])
            if len(places) == len(start_drift):
                rows.append(p.mean[:, places])
                spreads.append(variance[:, places])
    drift = _drift_variance(
        np.concatenate(rows), np.concatenate(spreads), before.drift_covariance, start_drift
    )
    offset, var = np.concatenate(offsets), np.concatenate(offset_vars)
    offset_mean = float(np.sum(offset / (var + 1e-6)) / np.sum(1.0 / (var + 1e-6)))
    offset_var = (np.sum((offset - offset_mean) ** 2 + var) + 4 * 0.005**2) / (len(offset) + 4)
    return replace(
        before,
        **orbit,
        time_offset_mean=offset_mean,
        time_offset_scatter=math.sqrt(max(float(offset_var), 1e-8)),
        limb_mean=limb_mean,
        limb_covariance=limb_covariance,
        drift_mean=np.zeros(len(start_drift)),
        drift_covariance=np.diag(drift),
        learned_from=sum(len(g.measurements) for g in given),
    )


def _limb_darkening(
    given: Sequence[_Given], posteriors: Sequence[_Posterior]
) -> tuple[np.ndarray, np.ndarray]:
    """A line in the star's temperature (2, 8), and the scatter about it (8, 8)."""
    temperature = np.concatenate([g.table.temperature_k.numpy() for g in given])
    design = np.stack(
        [
            np.ones(len(temperature)),
            np.clip((temperature - TEMPERATURE_PIVOT_K) / TEMPERATURE_UNIT_K, -4.0, 3.0),
        ],
        axis=1,
    )
    values = np.concatenate([p.mean[:, LIMB] for p in posteriors])
    spread = np.concatenate([p.covariance[:, LIMB, LIMB] for p in posteriors])
    start = np.array([given[0].table.mean[0, LIMB].numpy(), np.zeros(values.shape[1])])
    weight = _robust_rows(values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) * np.concatenate(
        [p.trust for p in posteriors]
    )
    weighted = design * weight[:, None]
    mean = start + np.linalg.solve(
        weighted.T @ design + np.diag([0.5, 4.0]), weighted.T @ (values - design @ start)
    )
    rest = values - design @ mean
    scatter = np.einsum("n,nij->ij", weight, rest[:, :, None] * rest[:, None, :] + spread)
    default_sd = given[0].table.sd[0, LIMB].numpy()
    return mean, (scatter + 6.0 * np.diag((0.3 * default_sd) ** 2)) / (weight.sum() + 6.0)


def _drift_variance(
    rows: np.ndarray, variances: np.ndarray, before: np.ndarray | None, default: np.ndarray
) -> np.ndarray:
    """Variance (D,) of each drift coefficient over V visits, from posterior means and variances (V, D).

    MacKay's fixed point, sum m^2 / sum (1 - v / s^2): it gives up a coefficient that no visit needs in a few
    steps, where plain EM takes hundreds. Shrunk to the fits' own by a third of a visit.
    """
    prior = default if before is None else np.diagonal(before)
    weight = _robust_rows(rows)[:, None]
    # share of each coefficient that the data determine
    known = np.clip(1.0 - variances / prior, 0.02, 1.0)
    found = (weight * rows**2).sum(0), (weight * known).sum(0)
    moved = (found[0] + _DRIFT_PRIOR_VISITS * default) / (found[1] + _DRIFT_PRIOR_VISITS)
    return np.clip(moved, 0.1 * prior, 10.0 * prior)


def _robust_rows(rows: np.ndarray) -> np.ndarray:
    """Weights (N,) in (0, 1] that keep a few wild rows from setting the covariance."""
    sd = 1.4826 * np.median(np.abs(rows), axis=0) + 1e-12
    distance = np.mean((rows / sd) ** 2, axis=1)
    return np.minimum(1.0, 6.0 / np.maximum(distance, 1e-9))


def _learn_orbit(given: Sequence[_Given], prior: NuisancePrior, mismatch: LabelMismatch) -> dict[str, float]:
    """How far orbits are from the star table: offset and scatter of ln a (table and Kepler mixed) and of
    b."""
    axis_gap, axis_var, kepler, impact_gap, impact_var = [], [], [], [], []
    wide = replace(prior, axis_scatter=0.3, axis_tail=0.8, impact_scatter=0.3, impact_tail=0.6)
    for g in given:
        p, point = _posterior(g, wide, mismatch), g.table.orbit
        slope = point.log_axis_slope().numpy()
        step, covariance = p.mean[:, :2] - g.table.reference[:, :2].numpy(), p.covariance[:, :2, :2]
        table_axis, b2 = point.catalogue_axis.numpy(), p.mean[:, 1]
        axis_gap.append(point.log_axis.numpy() + (slope * step).sum(1) - np.log(table_axis))
        kepler.append(np.log(point.kepler_axis.numpy() / table_axis))
        axis_var.append(np.einsum("ni,nij,nj->n", slope, covariance, slope))
        impact_gap.append(np.sqrt(b2.clip(0.0)) - point.catalogue_impact.numpy())
        impact_var.append(covariance[:, 1, 1] / np.maximum(4.0 * b2, 2.0 * np.sqrt(covariance[:, 1, 1])))
    gap, var, lean, impact, impact_noise = (
        np.concatenate(v) for v in (axis_gap, axis_var, kepler, impact_gap, impact_var)
    )
    n, default = len(gap), NuisancePrior()
    core = np.abs(gap - np.median(gap)) < 4.0 * (1.4826 * np.median(np.abs(gap - np.median(gap))) + 0.01)
    weight = core / (var + 0.03**2)
    centred = lean - np.average(lean, weights=weight)
    share = float(
        np.sum(weight * centred * gap) / (np.sum(weight * centred**2) + 8.0 * np.median(weight) * 0.05**2)
    )
    share = float(np.clip(share, 0.0, 1.0))
    left = gap - share * lean
    offset = float(np.sum(weight * left) / (np.sum(weight) + 4.0 / 0.03**2))
    return {
        "axis_offset": offset,
        "kepler_share": share,
        "axis_scatter": _intrinsic_scatter(left - offset, var, default.axis_scatter, n),
        "impact_scatter": _intrinsic_scatter(impact, impact_noise, default.impact_scatter, n),
    }


def _intrinsic_scatter(gap: np.ndarray, variance: np.ndarray, default: float, n: int) -> float:
    """Width of the core of ``gap`` beyond its measurement errors, shrunk to the default like eight
    planets."""
    grid = np.geomspace(0.003, 0.6, 40)
    tail = 0.5

    def log_likelihood(s: float) -> float:
        core = 0.95 / np.sqrt(variance + s**2) * np.exp(-0.5 * gap**2 / (variance + s**2))
        wide = 0.05 / np.sqrt(variance + tail**2) * np.exp(-0.5 * gap**2 / (variance + tail**2))
        return float(np.log(core + wide).sum()) - 2.0 * math.log(s / default) ** 2

    return float(grid[int(np.argmax([log_likelihood(s) for s in grid]))])
