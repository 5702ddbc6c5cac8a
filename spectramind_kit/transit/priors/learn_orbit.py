"""How far orbits are from the star table, learned from train planets whose labels are given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.robust import mad_sigma
from spectramind_kit.transit.priors.given_label import GivenLabels, GivenPosterior
from spectramind_kit.transit.priors.label_mismatch import LabelMismatch
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior

# so wide that the light curves alone say where an orbit is
_WIDE = {"axis_scatter": 0.3, "axis_tail": 0.8, "impact_scatter": 0.3, "impact_tail": 0.6}
_TAIL = 0.5  # width of the 5 % whose table is far off
_LEAST_VARIANCE = 1e-12  # of the squared impact parameter


def learn_orbit(
    given: Sequence[GivenLabels], prior: NuisancePrior, mismatch: LabelMismatch
) -> dict[str, float]:
    """Fields of the `NuisancePrior`: offset and scatter of ln a (table and Kepler mixed), scatter of b.

    They are shrunk to the scatters of ``prior``.
    """
    wide = replace(prior, **_WIDE)
    gap, var, lean, impact_gap, impact_var = (
        np.concatenate(v) for v in zip(*(_gaps(g, g.posterior(wide, mismatch)) for g in given))
    )
    core = np.abs(gap - np.median(gap)) < 4.0 * (mad_sigma(gap) + 0.01)
    weight = core / (var + 0.03**2)
    centred = lean - np.average(lean, weights=weight)
    known = np.sum(weight * centred**2) + 8.0 * np.median(weight) * 0.05**2
    share = float(np.clip(np.sum(weight * centred * gap) / known, 0.0, 1.0))
    left = gap - share * lean
    offset = float(np.sum(weight * left) / (np.sum(weight) + 4.0 / 0.03**2))
    return {
        "axis_offset": offset,
        "kepler_share": share,
        "axis_scatter": _intrinsic_scatter(left - offset, var, prior.axis_scatter),
        "impact_scatter": _intrinsic_scatter(impact_gap, impact_var, prior.impact_scatter),
    }


def _gaps(given: GivenLabels, posterior: GivenPosterior) -> tuple[np.ndarray, ...]:
    """Against the star table, (N,) each: ln a, its variance, Kepler's ln a; b, its variance."""
    table, point = given.table, given.table.orbit
    slope, covariance = point.log_axis_slope().numpy(), posterior.covariance[:, :2, :2]
    step = posterior.mean[:, :2] - table.reference[:, :2].numpy()
    axis, impact2 = point.catalogue_axis.numpy(), posterior.mean[:, 1]
    # zero where a fit has come to rest at its bound: 0/0 would leave no likelihood of any width
    impact_variance = covariance[:, 1, 1].clip(_LEAST_VARIANCE)
    return (
        point.log_axis.numpy() + (slope * step).sum(1) - np.log(axis),
        np.einsum("ni,nij,nj->n", slope, covariance, slope),
        np.log(point.kepler_axis.numpy() / axis),
        np.sqrt(impact2.clip(0.0)) - point.catalogue_impact.numpy(),
        impact_variance / np.maximum(4.0 * impact2, 2.0 * np.sqrt(impact_variance)),
    )


def _intrinsic_scatter(gap: np.ndarray, variance: np.ndarray, default: float) -> float:
    """Width of the core of ``gap`` beyond its errors, shrunk to the default like eight planets.

    Planets without a number are left out: one would leave no likelihood, and the narrowest width would win.
    """
    known = np.isfinite(gap) & np.isfinite(variance)
    gap, variance = gap[known], variance[known]

    def density(share: float, width: float) -> np.ndarray:
        total = variance + width**2
        return share / np.sqrt(total) * np.exp(-0.5 * gap**2 / total)

    def log_likelihood(s: float) -> float:
        found = np.log(density(0.95, s) + density(0.05, _TAIL)).sum()
        return float(found) - 2.0 * math.log(s / default) ** 2

    return float(max(np.geomspace(0.003, 0.6, 40), key=log_likelihood))
