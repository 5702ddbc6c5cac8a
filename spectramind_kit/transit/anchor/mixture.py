"""The posterior of a spectrum: the light curves' likelihood under the priors, integrated over a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.anchor.doubt import doubt
from spectramind_kit.transit.anchor.features import anchor_features
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import Projected, cut_below
from spectramind_kit.transit.priors.label_mismatch import NO_MISMATCH, MismatchComponent, mismatch_basis
from spectramind_kit.transit.priors.nuisance_prior import NuisanceTable
from spectramind_kit.transit.priors.raw_depths import raw_spectrum
from spectramind_kit.transit.priors.spectral_prior import SpectralPrior, default_spectral_prior

_AMPLITUDE_GRID = np.linspace(-2.4, 2.4, 7)  # in widths of ln s around its expectation
_AMPLITUDE_FLOOR = 1e-6
_MEAN_SHAPE_SPREAD = 0.05  # relative width of the mean shape's coefficient: it has the planet's amplitude
# a planet's drift in units of the population's
_DRIFT_SCALES, _DRIFT_SCALE_WIDTH = (0.5, 1.0, 2.0, 5.0), 0.6


@dataclass(frozen=True)
class _Coefficients:
    """Coefficients of found depths: level, mean shape, modes (the label's), and what a label lacks."""

    basis: np.ndarray  # (W, M) depth = level of the prior + basis @ coefficients
    n_label: int  # the first so many columns are the label's
    level_precision: float
    mismatches: tuple[MismatchComponent, ...]  # possibilities of the rest

    @classmethod
    def of(cls, measurement: DepthMeasurement, prior: SpectralPrior) -> _Coefficients:
        own = [np.ones((len(measurement.wavelength_um), 1)), prior.mean_shape[:, None], prior.modes]
        mismatches: tuple[MismatchComponent, ...] = (NO_MISMATCH,)
        if prior.mismatch is not None:
            own.append(mismatch_basis(measurement.wavelength_um, measurement.reference_depth))
            mismatches = prior.mismatch.components()
        level_precision = 1.0 / (3.0 * prior.level_width) ** 2
        return cls(np.concatenate(own, axis=1), 2 + prior.modes.shape[1], level_precision, mismatches)

    def prior(self, amplitude: float, mismatch: MismatchComponent) -> tuple[np.ndarray, np.ndarray, float]:
        """Precision (M, M), mean (M,) and log density at zero for one amplitude of the features."""
        n, m = self.n_label, self.basis.shape[1]
        whole = np.zeros((m, m))
        whole[range(n), range(n)] = np.r_[
            self.level_precision, (_MEAN_SHAPE_SPREAD * amplitude) ** -2.0, np.full(n - 2, amplitude**-2.0)
        ]
        whole[n:, n:] = mismatch.precision
        density = mismatch.log_density - (n - 1) * math.log(amplitude)
        return whole, np.r_[0.0, amplitude, np.zeros(n - 2), mismatch.mean], density


@dataclass(frozen=True)
class _Mixture:
    """The posterior integrated over a grid of S drift sizes, A amplitudes, C kinds of mismatch."""

    weight: np.ndarray  # (S, A, C)
    drift_scales: tuple[float, ...]
    amplitudes: np.ndarray  # (A,) std within a spectrum, depth
    mean: np.ndarray  # (M + K,)
    covariance: np.ndarray  # (M + K, M + K)

    @property
    def features(self) -> dict[str, float]:
        """What the light curves say about the grid's own coordinates."""
        return {
            "log_amplitude": float(self.weight.sum((0, 2)) @ np.log(self.amplitudes)),
            "drift_scale": math.exp(float(self.weight.sum((1, 2)) @ np.log(self.drift_scales))),
            "mismatched": float(self.weight[..., 1:].sum()),
        }


def _integrate(
    measurement: DepthMeasurement, prior: SpectralPrior, coefficients: _Coefficients, *, expected: float
) -> _Mixture:
    """Every point of the grid weighted by its prior and by the evidence of the light curves.

    ``expected``: ln of the amplitude of the features, by the star table.
    """
    origin = np.full(len(measurement.wavelength_um), prior.level)
    projected = Projected.of(measurement, coefficients.basis, origin)
    nuisance, table = prior.nuisance, NuisanceTable.of([measurement])
    # the orbit's wide-tailed priors are made Gaussian at the solution of a first pass
    middle, centre, _ = coefficients.prior(math.exp(expected), coefficients.mismatches[-1])
    first = projected.solve(middle[None], *nuisance.terms(table), basis_mean=centre[None])
    at = torch.as_tensor(first.step[:, projected.n_basis :])
    amplitudes = np.exp(expected + prior.amplitude_width * _AMPLITUDE_GRID).clip(_AMPLITUDE_FLOOR)
    precision, mean, density = (
        np.array(v)
        for v in zip(*(coefficients.prior(*c) for c in product(amplitudes.tolist(), coefficients.mismatches)))
    )
    log_prior = density - 0.5 * _AMPLITUDE_GRID.repeat(len(coefficients.mismatches)) ** 2
    # else the fit has estimated it itself
    scales = (1.0,) if nuisance.drift_covariance is None else _DRIFT_SCALES
    terms = [nuisance.terms(table, at=at, drift_scale=scale) for scale in scales]
    own_precision, pull = (torch.cat(v).repeat_interleave(len(density), 0) for v in zip(*terms))
    log_weight = np.concatenate(
        [
            log_prior + _log_density(p[0], g[0]) - 0.5 * (math.log(scale) / _DRIFT_SCALE_WIDTH) ** 2
            for scale, (p, g) in zip(scales, terms)
        ]
    )
    n = len(scales)
    posterior = projected.solve(
        np.tile(precision, (n, 1, 1)), own_precision, pull, basis_mean=np.tile(mean, (n, 1))
    )
    weight, mean, covariance = posterior.mixed(log_weight + posterior.log_evidence)
    shape = (n, len(amplitudes), len(coefficients.mismatches))
    return _Mixture(weight.reshape(shape), scales, amplitudes, mean, covariance)


def _log_density(precision: Tensor, pull: Tensor) -> float:
    """Of the nuisances' prior at the reference: a narrow drift must pay for a reference that lies far out."""
    log_det = torch.linalg.slogdet(precision)[1]
    return 0.5 * float(log_det) - 0.5 * float(pull @ torch.linalg.solve(precision, pull))


def apply_prior(measurement: DepthMeasurement, prior: SpectralPrior | None = None) -> Anchor:
    """The posterior spectrum of one planet.

    Integrated over a grid, each point weighted by the evidence of the light curves: the amplitude of the
    features and the size of this planet's drift around what the train planets show, and whether the depth
    that is shown is the label's. b^2 >= 0 is kept by the moments of the cut Gaussian; `doubt` widens what
    flags say is worse than its error.

    Parameters
    ----------
    prior : SpectralPrior, optional
        From `learn_priors`; the default without labels otherwise.
    """
    prior = prior or default_spectral_prior(measurement.wavelength_um)
    coefficients = _Coefficients.of(measurement, prior)
    shown = float(np.median(measurement.reference_depth[1:]))
    expected = prior.expected_log_amplitude(measurement.star, shown)
    found = _integrate(measurement, prior, coefficients, expected=expected)
    n_basis, n, reference = coefficients.basis.shape[1], coefficients.n_label, measurement.nuisance_reference
    impact2 = measurement.index("impact2")
    mean, covariance = cut_below(found.mean, found.covariance, n_basis + impact2, -reference[impact2])
    label = coefficients.basis[:, :n]
    depth, own = prior.level + label @ mean[:n], label @ covariance[:n, :n] @ label.T
    raw_depth, raw_covariance = raw_spectrum(measurement, nuisance=prior.nuisance)
    anchor = Anchor(
        planet_id=measurement.planet_id,
        wavelength_um=measurement.wavelength_um,
        depth=depth,
        covariance=own + doubt(measurement, prior, depth=depth, covariance=own),
        raw_depth=raw_depth,
        raw_err=np.sqrt(np.diagonal(raw_covariance).clip(0)),
        flags=measurement.flags,
        nuisance=dict(zip(measurement.nuisance_names, (reference + mean[n_basis:]).tolist())),
    )
    grid = {**found.features, "amplitude_surprise": found.features["log_amplitude"] - expected}
    return replace(anchor, features=anchor_features(anchor, measurement, raw_covariance, grid=grid))
