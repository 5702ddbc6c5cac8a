"""The posterior of a spectrum: the light curves' likelihood under the priors, integrated over a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.anchor.doubt import doubt
from spectramind_kit.transit.anchor.features import anchor_features
from spectramind_kit.transit.anchor.spectrum import Anchor, positive_definite
from spectramind_kit.transit.likelihood.amplitude_grid import AmplitudeGrid
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
_DRIFT_SCALES, _DRIFT_SCALE_WIDTH = (0.5, 1.0, 2.0, 5.0, 12.0), 0.6


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
            mismatches = prior.mismatch.possibilities()
        level_precision = 1.0 / (3.0 * prior.level_width) ** 2
        return cls(np.concatenate(own, axis=1), 2 + prior.modes.shape[1], level_precision, mismatches)

    @property
    def modes(self) -> slice:
        """Places of the modes, which have the amplitude of the features."""
        return slice(2, self.n_label)

    def prior(self, amplitude: float, mismatch: MismatchComponent) -> tuple[np.ndarray, np.ndarray, float]:
        """Precision (P, P), mean (P,) and log density of level, mean shape and mismatch for one amplitude.

        The density is that of the modes, too, at zero.
        """
        own = np.zeros((2 + len(mismatch.mean),) * 2)
        own[0, 0], own[1, 1] = self.level_precision, (_MEAN_SHAPE_SPREAD * amplitude) ** -2.0
        own[2:, 2:] = mismatch.precision
        density = mismatch.log_density - (self.n_label - 1) * math.log(amplitude)
        return own, np.r_[0.0, amplitude, mismatch.mean], density


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
    grid = AmplitudeGrid.of(projected, coefficients.modes)
    n_own = coefficients.basis.shape[1] - (coefficients.n_label - 2)

    def points(amplitudes: np.ndarray, terms: Sequence[tuple[Tensor, Tensor]]) -> _Points:
        choices = list(product(range(len(amplitudes)), coefficients.mismatches))
        priors = [coefficients.prior(float(amplitudes[a]), mismatch) for a, mismatch in choices]
        return _Points.of([a for a, _ in choices], priors, terms, n_own=n_own)

    # the orbit's wide-tailed priors are made Gaussian at the solution of a first pass
    first = points(np.exp([expected]), [nuisance.terms(table)])
    first = first.only(-1)  # with a mismatch, where one is possible
    at = grid.integrated(np.exp([expected]), first.amplitude, first.precision, first.pull, first.density).mean
    at = torch.as_tensor(at[None, projected.n_basis :])
    amplitudes = np.exp(expected + prior.amplitude_width * _AMPLITUDE_GRID).clip(_AMPLITUDE_FLOOR)
    # else the fit has estimated it itself
    scales = (1.0,) if nuisance.drift_covariance is None else _DRIFT_SCALES
    terms = [nuisance.terms(table, at=at, drift_scale=scale) for scale in scales]
    every = points(amplitudes, terms)
    shape = (len(scales), len(amplitudes), len(coefficients.mismatches))
    log_scale = [
        _log_density(p[0], g[0]) - 0.5 * (math.log(s) / _DRIFT_SCALE_WIDTH) ** 2
        for s, (p, g) in zip(scales, terms)
    ]
    log_prior = np.array(log_scale)[:, None, None] - 0.5 * (_AMPLITUDE_GRID**2)[:, None]
    log_prior = every.density + np.broadcast_to(log_prior, shape).reshape(-1)
    found = grid.integrated(amplitudes, every.amplitude, every.precision, every.pull, log_prior)
    return _Mixture(found.weight.reshape(shape), scales, amplitudes, found.mean, found.covariance)


@dataclass(frozen=True)
class _Points:
    """The priors of G points: drift sizes, then amplitudes, then kinds of mismatch."""

    amplitude: np.ndarray  # (G,) which
    precision: np.ndarray  # (G, O, O) of level, mean shape, mismatch, nuisances
    pull: np.ndarray  # (G, O)
    density: np.ndarray  # (G,) ln of the prior of the coefficients at zero

    @classmethod
    def of(cls, amplitude, priors, terms: Sequence[tuple[Tensor, Tensor]], *, n_own: int) -> _Points:
        """From priors of the coefficients (one per amplitude and mismatch) and of the nuisances (per
        drift)."""
        n, k = len(terms), terms[0][0].shape[-1]
        precision = np.zeros((n, len(priors), n_own + k, n_own + k))
        pull = np.zeros((n, len(priors), n_own + k))
        for c, (own, mean, _) in enumerate(priors):
            precision[:, c, :n_own, :n_own], pull[:, c, :n_own] = own, own @ mean
        for d, (own, towards) in enumerate(terms):
            precision[d, :, n_own:, n_own:], pull[d, :, n_own:] = own[0].numpy(), towards[0].numpy()
        size = n * len(priors)
        return cls(
            np.tile(amplitude, n),
            precision.reshape(size, n_own + k, n_own + k),
            pull.reshape(size, n_own + k),
            np.tile([density for *_, density in priors], n),
        )

    def only(self, point: int) -> _Points:
        """One of them."""
        return _Points(*(getattr(self, f.name)[[point]] for f in fields(self)))


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
    impact = math.sqrt(max(0.0, float(reference[impact2] + mean[n_basis + impact2])))
    doubted = doubt(measurement, prior, depth=depth, covariance=own, impact_parameter=impact)
    raw_depth, raw_covariance = raw_spectrum(measurement, nuisance=prior.nuisance)
    anchor = Anchor(
        planet_id=measurement.planet_id,
        wavelength_um=measurement.wavelength_um,
        depth=depth,
        covariance=positive_definite(own + doubted),
        raw_depth=raw_depth,
        raw_err=np.sqrt(np.diagonal(raw_covariance).clip(0)),
        flags=measurement.flags,
        nuisance=dict(zip(measurement.nuisance_names, (reference + mean[n_basis:]).tolist())),
    )
    grid = {**found.features, "amplitude_surprise": found.features["log_amplitude"] - expected}
    return replace(anchor, features=anchor_features(anchor, measurement, raw_covariance, grid=grid))
