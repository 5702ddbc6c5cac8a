"""The anchor: the posterior of a spectrum under the priors, a Gaussian update of the light curves' likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.transit.measurement import DepthMeasurement
from spectramind_kit.transit.nuisance_prior import NuisancePrior
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.transit.spectral_prior import SpectralPrior, default_spectral_prior

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.calibration import AnchorCalibration

_AMPLITUDE_GRID = np.linspace(-2.4, 2.4, 7)     # in widths of ln s around its expectation
_AMPLITUDE_FLOOR = 1e-6
_GRAZING_SHARE = 0.5       # of the spread of the train planets' depths
_UNSETTLED = 0.05        # relative error of the level granted to a fit that did not converge
_DRIFT_SCALES, _DRIFT_SCALE_WIDTH = (0.5, 1.0, 2.0, 5.0), 0.6   # a planet's drift in units of the population's


@dataclass(frozen=True)
class Anchor:
    """A spectrum with its covariance; W = 283, FGS1 first, dimensionless depths.

    ``raw_depth`` and ``raw_err`` (W,) know no prior on the spectrum; ``nuisance`` maps names to posterior means.
    ``features`` are numbers that predict the true error: see `anchor_features`.
    """

    planet_id: int
    wavelength_um: np.ndarray
    depth: np.ndarray
    covariance: np.ndarray
    raw_depth: np.ndarray
    raw_err: np.ndarray
    features: Mapping[str, float] = field(default_factory=dict)
    nuisance: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def depth_err(self) -> np.ndarray:
        """(W,) 1 sigma."""
        return np.sqrt(np.diagonal(self.covariance).clip(0.0))


@dataclass(frozen=True)
class Posterior:
    """Gaussian posterior of coefficients and nuisances around the measurement's reference."""

    step: np.ndarray          # (M + K,)
    covariance: np.ndarray    # (M + K, M + K)
    log_evidence: float


def solve(measurement: DepthMeasurement, basis: np.ndarray, basis_precision: np.ndarray, origin: np.ndarray,
          nuisance_precision: np.ndarray, nuisance_pull: np.ndarray) -> Posterior:
    """Posterior of depth = origin + basis @ c with c ~ N(0, diag(1/basis_precision)) and of the nuisances.

    ``basis`` (W, M), ``origin`` (W,): the prior mean of the spectrum. Linear algebra of size M + K.
    """
    projected = Projected.of(measurement, basis, origin)
    return projected.solve(basis_precision, nuisance_precision, nuisance_pull)


@dataclass(frozen=True)
class Projected:
    """A measurement's information on the coefficients of one basis, made once and solved under many priors."""

    information: np.ndarray   # (M + K, M + K)
    score: np.ndarray         # (M + K,)
    n_basis: int

    @classmethod
    def of(cls, m: DepthMeasurement, basis: np.ndarray, origin: np.ndarray) -> Projected:
        n, k = basis.shape[1], m.n_nuisances
        cross, lost = basis.T @ m.coupling, np.vstack([basis.T @ m.common[: len(basis)], m.common[len(basis):]])
        information = np.empty((n + k, n + k))
        information[:n, :n] = basis.T @ (m.depth_information[:, None] * basis)
        information[:n, n:], information[n:, :n] = cross, cross.T
        information[n:, n:] = m.nuisance_information
        information -= lost @ lost.T
        gap = origin - m.reference_depth
        common_gap = m.common[: len(basis)].T @ gap
        score_d = m.depth_score - m.depth_information * gap + m.common[: len(basis)] @ common_gap
        score_n = m.nuisance_score - m.coupling.T @ gap + m.common[len(basis):] @ common_gap
        return cls(information, np.r_[basis.T @ score_d, score_n], n)

    def solve(self, basis_precision: np.ndarray, nuisance_precision: np.ndarray, nuisance_pull: np.ndarray) -> Posterior:
        n = self.n_basis
        total = self.information.copy()
        total[range(n), range(n)] += basis_precision
        total[n:, n:] += nuisance_precision
        rhs = self.score.copy()
        rhs[n:] += nuisance_pull
        # scaled to a unit diagonal: levels, slopes and depths differ by ten orders of magnitude
        scale = 1.0 / np.sqrt(np.diagonal(total).clip(1e-300))
        factor = _cholesky(total * np.outer(scale, scale))
        inverse = np.linalg.inv(factor)
        covariance = (inverse.T @ inverse) * np.outer(scale, scale)
        step = covariance @ rhs
        log_det = 2.0 * float(np.log(np.diagonal(factor)).sum() - np.log(scale).sum())
        proper = basis_precision > 0
        evidence = 0.5 * float(rhs @ step) - 0.5 * log_det + 0.5 * float(np.log(basis_precision[proper]).sum())
        return Posterior(step, covariance, evidence)


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """Cholesky factor; a matrix that rounding made indefinite gets the smallest ridge that helps."""
    for ridge in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
        try:
            return np.linalg.cholesky(matrix + ridge * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            continue
    raise np.linalg.LinAlgError("the information matrix is not positive")


def _truncate_impact(mean: np.ndarray, covariance: np.ndarray, index: int, lower: float) -> tuple[np.ndarray, np.ndarray]:
    """Moments of the Gaussian cut at b^2 >= 0: a linearised fit of a central transit would go on below."""
    variance = covariance[index, index]
    sd = math.sqrt(max(variance, 1e-300))
    alpha = (lower - mean[index]) / sd
    if alpha < -4.0:
        return mean, covariance
    alpha = min(alpha, 6.0)
    tail = 0.5 * math.erfc(alpha / math.sqrt(2.0))
    ratio = math.exp(-0.5 * alpha**2) / math.sqrt(2.0 * math.pi) / max(tail, 1e-300)
    new_mean = max(lower, mean[index]) if alpha >= 6.0 else mean[index] + sd * ratio
    shrink = min(max(1.0 - ratio * (ratio - alpha), 0.02), 1.0)
    column = covariance[:, index] / variance
    return (mean + column * (new_mean - mean[index]),
            covariance - np.outer(column, column) * variance * (1.0 - shrink))


def raw_spectrum(measurement: DepthMeasurement, *, nuisance: NuisancePrior | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Depths (W,) and covariance (W, W) under the nuisance priors alone: no prior on the spectrum."""
    precision, pull = (nuisance or NuisancePrior()).terms(measurement)
    w = len(measurement.reference_depth)
    weak = np.full(w, 1.0 / 0.1**2)      # depth 0.1: no information, but a finite error where the data have none
    posterior = solve(measurement, np.eye(w), weak, measurement.reference_depth, precision, pull)
    return measurement.reference_depth + posterior.step[:w], posterior.covariance[:w, :w]


def apply_prior(measurement: DepthMeasurement, prior: SpectralPrior | None = None) -> Anchor:
    """The posterior spectrum of one planet.

    The amplitude of the features and the size of this planet's drift are integrated over a grid around what the train
    planets show, each point weighted by the evidence of the light curves; the orbit's wide-tailed priors are taken at the solution of a first pass; b^2 >= 0 is kept by
    the moments of the cut Gaussian. Two visits that disagree widen the level by half of their difference.

    Parameters
    ----------
    prior : SpectralPrior, optional
        From `learn_spectral_prior`; the default without labels otherwise.
    """
    prior = prior or default_spectral_prior(measurement.wavelength_um)
    n_wave, modes = len(measurement.wavelength_um), prior.modes
    basis = np.concatenate([np.ones((n_wave, 1)), modes], axis=1)
    origin = np.full(n_wave, prior.level)
    level_precision = 1.0 / (3.0 * prior.level_width) ** 2
    projected = Projected.of(measurement, basis, origin)
    expected = prior.expected_log_amplitude(measurement.star, float(np.median(measurement.reference_depth[1:])))
    grid = expected + prior.amplitude_width * _AMPLITUDE_GRID
    amplitude = np.maximum(np.exp(grid), _AMPLITUDE_FLOOR)
    precision, pull = prior.nuisance.terms(measurement)

    def posterior_at(s: float) -> Posterior:
        return projected.solve(np.r_[level_precision, np.full(modes.shape[1], 1.0 / s**2)], precision, pull)

    at = posterior_at(math.exp(expected)).step[basis.shape[1]:]
    scales = (1.0,) if prior.nuisance.drift_covariance is None else _DRIFT_SCALES   # else the fit has estimated it itself
    posteriors, log_weight = [], []
    for scale in scales:
        precision, pull = prior.nuisance.terms(measurement, at=at, drift_scale=scale)
        # density of the nuisances' prior at the reference: a narrow drift must pay for a reference that lies far out
        free = 0.5 * float(np.linalg.slogdet(precision)[1]) - 0.5 * float(pull @ np.linalg.solve(precision, pull))
        free -= 0.5 * (math.log(scale) / _DRIFT_SCALE_WIDTH) ** 2
        for place, s in zip(_AMPLITUDE_GRID, amplitude):
            posteriors.append(posterior_at(float(s)))
            log_weight.append(posteriors[-1].log_evidence + free - 0.5 * place**2)
    weight = np.exp(np.array(log_weight) - max(log_weight))
    weight /= weight.sum()
    steps = np.array([p.step for p in posteriors])
    mean = weight @ steps
    covariance = np.einsum("g,gij->ij", weight, np.array([p.covariance for p in posteriors]))
    covariance += np.einsum("g,gi,gj->ij", weight, steps - mean, steps - mean)
    by_scale = weight.reshape(len(scales), -1)
    drift_scale = math.exp(float(by_scale.sum(1) @ np.log(scales)))
    found_amplitude = float(by_scale.sum(0) @ np.log(amplitude))
    n_basis = basis.shape[1]
    mean, covariance = _truncate_impact(mean, covariance, n_basis + measurement.index("impact2"),
                                        -measurement.nuisance_reference[measurement.index("impact2")])
    depth = origin + basis @ mean[:n_basis]
    depth_covariance = basis @ covariance[:n_basis, :n_basis] @ basis.T
    if "visits disagree" in measurement.flags:
        depth_covariance = depth_covariance + (0.5 * measurement.quality.get("visit_gap", 0.0)) ** 2
    if "not converged" in measurement.flags:   # the expansion is about a point that is not the best one
        depth_covariance = depth_covariance + (_UNSETTLED * measurement.reference_depth[1:].mean()) ** 2
    if {"grazing", "not converged"} <= set(measurement.flags):   # depth and impact parameter trade against each other far beyond a Gaussian
        depth_covariance = depth_covariance + (_GRAZING_SHARE * prior.level_width) ** 2
    nuisance = dict(zip(measurement.nuisance_names, (measurement.nuisance_reference + mean[n_basis:]).tolist()))
    raw_depth, raw_covariance = raw_spectrum(measurement, nuisance=prior.nuisance)
    anchor = Anchor(planet_id=measurement.planet_id, wavelength_um=measurement.wavelength_um, depth=depth,
                    covariance=depth_covariance, raw_depth=raw_depth, raw_err=np.sqrt(np.diagonal(raw_covariance).clip(0)),
                    nuisance=nuisance, flags=measurement.flags)
    return replace(anchor, features=anchor_features(anchor, measurement, raw_covariance,
                                                    amplitude=found_amplitude, expected=expected,
                                                    drift_scale=drift_scale))


def anchor_features(anchor: Anchor, measurement: DepthMeasurement, raw_covariance: np.ndarray, *, amplitude: float,
                    expected: float, drift_scale: float) -> dict[str, float]:
    """What predicts how wrong an anchor is (WHAT_WINS.md §3); all finite, depths in units of depth."""
    airs, quality = anchor.depth[1:], measurement.quality
    mean_err = math.sqrt(max(float(anchor.covariance[1:, 1:].mean()), 1e-20))
    gap = anchor.raw_depth - anchor.depth
    weight = 1.0 / np.maximum(anchor.raw_err, 1e-9) ** 2
    found = {
        "depth": float(airs.mean()), "mean_err": mean_err, "fgs1_err": float(anchor.depth_err[0]),
        "airs_err": float(np.sqrt(np.mean(anchor.depth_err[1:] ** 2))), "spread": float(airs.std()),
        "fgs1_offset": float(anchor.depth[0] - airs.mean()), "log_amplitude": amplitude, "amplitude_surprise": amplitude - expected,
        "raw_gap": float(np.sqrt(np.average(gap[1:] ** 2, weights=weight[1:]) * weight[1:].mean())),
        "raw_gap_mean": float(np.average(gap[1:], weights=weight[1:])), "raw_gap_fgs1": float(gap[0]),
        "raw_mean_err": math.sqrt(max(float(raw_covariance[1:, 1:].mean()), 1e-20)),
        "u1_fgs1": anchor.nuisance.get("fgs1_u1", 0.48), "u2_fgs1": anchor.nuisance.get("fgs1_u2", 0.12),
        "u1_airs": anchor.nuisance.get("airs_u1", 0.12), "u2_airs": anchor.nuisance.get("airs_u2", 0.13),
        "impact2": anchor.nuisance.get("impact2", 0.1), "n_flags": float(len(anchor.flags)), "drift_scale": drift_scale,
    }
    found.update({f"quality_{k}": float(v) for k, v in quality.items()})
    return {k: v if math.isfinite(v) else 0.0 for k, v in found.items()}


def fit_anchor(light_curves: Sequence[LightCurve] | LightCurve, star: Mapping[str, float], *,
               prior: SpectralPrior | None = None, calibration: AnchorCalibration | None = None,
               settings: AnchorSettings | None = None) -> Anchor:
    """Light curves of one planet in, spectrum with covariance out; for a notebook of one's own.

    Parameters
    ----------
    light_curves : one LightCurve or all visits of a planet
    star : row of the star table
    prior, calibration : what training learned; defaults that know no label otherwise
    """
    from spectramind_kit.transit.calibration import calibrate
    from spectramind_kit.transit.measure import measure_depths

    curves = list(light_curves) if isinstance(light_curves, (list, tuple)) else [light_curves]
    anchor = apply_prior(measure_depths(curves, star, settings=settings), prior)
    return anchor if calibration is None else calibrate(anchor, calibration)
