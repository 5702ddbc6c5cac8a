"""The anchor: the posterior of a spectrum under the priors, a Gaussian update of the light curves'
likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from spectramind_kit.transit import flags
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import Projected, cut_below
from spectramind_kit.transit.priors.label_mismatch import mismatch_basis
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior, NuisanceTable
from spectramind_kit.transit.priors.raw_depths import raw_spectrum
from spectramind_kit.transit.priors.spectral_prior import SpectralPrior, default_spectral_prior

if TYPE_CHECKING:
    pass

_AMPLITUDE_GRID = np.linspace(-2.4, 2.4, 7)  # in widths of ln s around its expectation
_AMPLITUDE_FLOOR = 1e-6
# fitted impact parameter; of 1,500 simulated planets nine had one, seven of them 30-85 % deeper than found
_BEYOND_THE_LIMB = 0.98
_ANY_DEPTH = 2.0  # widths of the train planets' depths: such planets are among the deepest
_TROUBLE = (
    flags.NOT_CONVERGED,
    flags.GRAZING,
    flags.NEAR_GRAZING,
    flags.INCOMPLETE_TRANSIT,
    flags.LITTLE_BASELINE,
    flags.ORBIT_FAR,
)
_DETECTED = 8.0  # errors of the level above zero that make a transit sure: docs/decisions.md D27
_IMPLAUSIBLE = 4.0  # widths of ln depth from the population's middle
_UNSETTLED = 0.05  # relative error of the level of a fit that did not converge: docs/decisions.md D27
# Relative errors of the level and of FGS1 against it per share of a visit's frames that is lost, nobody knows
# where: a tenth lost inside the transit moved the level by 0.7-1.3 % and FGS1 by 2-4 % of twelve simulated
# planets, since the time stamps behind it are wrong (docs/decisions.md D25)
# a larger gap in mid-transit would not fit at all; most likely the visit is short
_LOST_LEVEL, _LOST_FGS1, _MOST_LOST = 0.12, 0.35, 0.15
_MEAN_SHAPE_SPREAD = 0.05  # relative width of the mean shape's coefficient: it has the planet's amplitude
# a planet's drift in units of the population's
_DRIFT_SCALES, _DRIFT_SCALE_WIDTH = (0.5, 1.0, 2.0, 5.0), 0.6


@dataclass(frozen=True)
class _Coefficients:
    """Coefficients of found depths: level, mean shape, modes, and what a label lacks. depth = origin + basis
    @ coefficients, the label's part first; ``components``: mean (R,), precision (R, R) and probability of the
    rest."""

    basis: np.ndarray
    n_label: int
    level_precision: float
    components: tuple[tuple[np.ndarray, np.ndarray, float], ...]

    @classmethod
    def of(cls, measurement: DepthMeasurement, prior: SpectralPrior) -> _Coefficients:
        own = [np.ones((len(measurement.wavelength_um), 1)), prior.mean_shape[:, None], prior.modes]
        components: tuple[tuple[np.ndarray, np.ndarray, float], ...] = ((np.zeros(0), np.zeros((0, 0)), 1.0),)
        if prior.mismatch is not None:
            own.append(mismatch_basis(measurement.wavelength_um, measurement.reference_depth))
            components = tuple(
                (c.mean, np.linalg.inv(c.covariance), c.share) for c in prior.mismatch.components()
            )
        return cls(
            np.concatenate(own, axis=1),
            2 + prior.modes.shape[1],
            1.0 / (3.0 * prior.level_width) ** 2,
            components,
        )

    def prior(self, amplitude: float, component: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Precision (M, M), mean (M,) and log density at zero for one amplitude of the features and one
        possibility of the mismatch."""
        mean, precision, share = self.components[component]
        whole = np.zeros((self.basis.shape[1],) * 2)
        n = self.n_label
        whole[range(n), range(n)] = np.r_[
            self.level_precision, (_MEAN_SHAPE_SPREAD * amplitude) ** -2.0, np.full(n - 2, amplitude**-2.0)
        ]
        whole[n:, n:] = precision
        density = (
            math.log(share)
            + 0.5 * float(np.linalg.slogdet(precision)[1] - mean @ precision @ mean)
            - (n - 1) * math.log(amplitude)
        )
        return whole, np.r_[0.0, amplitude, np.zeros(n - 2), mean], density


@dataclass(frozen=True)
class _Mixture:
    """The posterior integrated over a grid: weights (S, A, C) of drift sizes, amplitudes and possibilities of
    the mismatch."""

    weight: np.ndarray
    drift_scales: tuple[float, ...]
    amplitudes: np.ndarray
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
    projected: Projected,
    coefficients: _Coefficients,
    nuisance: NuisancePrior,
    table: NuisanceTable,
    *,
    expected: float,
    width: float,
) -> _Mixture:
    """Every point of the grid weighted by its prior and by the evidence of the light curves."""
    amplitudes = np.maximum(np.exp(expected + width * _AMPLITUDE_GRID), _AMPLITUDE_FLOOR)
    middle, centre, _ = coefficients.prior(math.exp(expected), -1)
    precision, pull = nuisance.terms(table)
    at = torch.as_tensor(
        projected.solve(middle[None], precision, pull, basis_mean=centre[None]).step[:, projected.n_basis :]
    )
    inner = [
        (place, float(s), c)
        for place, s in zip(_AMPLITUDE_GRID, amplitudes)
        for c in range(len(coefficients.components))
    ]
    basis_precision, basis_mean, density = (
        np.array(v) for v in zip(*(coefficients.prior(s, c) for _, s, c in inner))
    )
    log_prior = density - 0.5 * np.array([place for place, _, _ in inner]) ** 2
    # else the fit has estimated it itself
    scales = (1.0,) if nuisance.drift_covariance is None else _DRIFT_SCALES
    precisions, pulls, log_weight = [], [], []
    for scale in scales:
        precision, pull = (value[0] for value in nuisance.terms(table, at=at, drift_scale=scale))
        # density of the nuisances' prior at the reference: a narrow drift must pay for a reference that lies
        # far out
        free = 0.5 * float(torch.linalg.slogdet(precision)[1]) - 0.5 * float(
            pull @ torch.linalg.solve(precision, pull)
        )
        log_weight.append(log_prior + free - 0.5 * (math.log(scale) / _DRIFT_SCALE_WIDTH) ** 2)
        precisions += [precision] * len(inner)
        pulls += [pull] * len(inner)
    posterior = projected.solve(
        np.tile(basis_precision, (len(scales), 1, 1)),
        torch.stack(precisions),
        torch.stack(pulls),
        basis_mean=np.tile(basis_mean, (len(scales), 1)),
    )
    weight, mean, covariance = posterior.mixed(np.concatenate(log_weight) + posterior.log_evidence)
    return _Mixture(
        weight.reshape(len(scales), len(amplitudes), len(coefficients.components)),
        scales,
        amplitudes,
        mean,
        covariance,
    )


def apply_prior(measurement: DepthMeasurement, prior: SpectralPrior | None = None) -> Anchor:
    """The posterior spectrum of one planet.

    Integrated over a grid, each point weighted by the evidence of the light curves: the amplitude of the
    features and the size of this planet's drift around what the train planets show, and whether the depth
    that is shown is the label's. The orbit's wide-tailed priors are taken at the solution of a first pass;
    b^2 >= 0 is kept by the moments of the cut Gaussian. Two visits that disagree widen the level by half of
    their difference.

    Parameters
    ----------
    prior : SpectralPrior, optional
        From `learn_priors`; the default without labels otherwise.
    """
    prior = prior or default_spectral_prior(measurement.wavelength_um)
    coefficients, origin = (
        _Coefficients.of(measurement, prior),
        np.full(len(measurement.wavelength_um), prior.level),
    )
    expected = prior.expected_log_amplitude(
        measurement.star, float(np.median(measurement.reference_depth[1:]))
    )
    found = _integrate(
        Projected.of(measurement, coefficients.basis, origin),
        coefficients,
        prior.nuisance,
        NuisanceTable.of([measurement]),
        expected=expected,
        width=prior.amplitude_width,
    )
    n_basis, n, index = coefficients.basis.shape[1], coefficients.n_label, measurement.index("impact2")
    mean, covariance = cut_below(
        found.mean, found.covariance, n_basis + index, -measurement.nuisance_reference[index]
    )
    label = coefficients.basis[:, :n]
    depth = origin + label @ mean[:n]
    raw_depth, raw_covariance = raw_spectrum(measurement, nuisance=prior.nuisance)
    spectrum_covariance = label @ covariance[:n, :n] @ label.T
    doubt = _doubt(
        measurement,
        prior,
        level=float(depth[1:].mean()),
        level_err=math.sqrt(max(float(spectrum_covariance[1:, 1:].mean()), 0.0)),
    )
    anchor = Anchor(
        planet_id=measurement.planet_id,
        wavelength_um=measurement.wavelength_um,
        depth=depth,
        covariance=spectrum_covariance + doubt,
        raw_depth=raw_depth,
        raw_err=np.sqrt(np.diagonal(raw_covariance).clip(0)),
        flags=measurement.flags,
        nuisance=dict(
            zip(measurement.nuisance_names, (measurement.nuisance_reference + mean[n_basis:]).tolist())
        ),
    )
    grid = {**found.features, "amplitude_surprise": found.features["log_amplitude"] - expected}
    return replace(anchor, features=anchor_features(anchor, measurement, raw_covariance, grid=grid))


def _doubt(
    measurement: DepthMeasurement, prior: SpectralPrior, *, level: float, level_err: float
) -> np.ndarray:
    """Covariance (W, W) that the flags add to the posterior's: of the level, and of FGS1 against it."""
    found, variance = measurement.flags, 0.0
    if flags.has(found, flags.VISITS_DISAGREE):
        variance += (0.5 * measurement.quality.get("visit_gap", 0.0)) ** 2
    if flags.has(found, flags.NOT_CONVERGED):  # the expansion is about a point that is not the best one
        variance += (_UNSETTLED * measurement.reference_depth[1:].mean()) ** 2
    if measurement.quality.get("impact_parameter", 0.0) > _BEYOND_THE_LIMB:
        # the planet's centre never crosses the limb: a larger planet further out gives the same light curve,
        # far beyond a Gaussian
        variance += (_ANY_DEPTH * prior.level_width) ** 2
    doubtful = flags.has(found, *_TROUBLE) or level < _DETECTED * level_err
    if doubtful and abs(prior.level_surprise(level)) > _IMPLAUSIBLE:
        # no transit was found, or one of a depth that no planet has: nothing is known
        variance += (level - prior.level) ** 2
    lost = min(measurement.quality.get("frames_lost", 0.0), _MOST_LOST) * max(level, 0.0)
    covariance = np.full((len(measurement.wavelength_um),) * 2, variance + (_LOST_LEVEL * lost) ** 2)
    covariance[0, 0] += (_LOST_FGS1 * lost) ** 2
    return covariance


def anchor_features(
    anchor: Anchor, measurement: DepthMeasurement, raw_covariance: np.ndarray, *, grid: Mapping[str, float]
) -> dict[str, float]:
    """What predicts how wrong an anchor is (docs/decisions.md D5); all finite, depths in units of depth."""
    airs, quality = anchor.depth[1:], measurement.quality
    mean_err = math.sqrt(max(float(anchor.covariance[1:, 1:].mean()), 1e-20))
    gap = anchor.raw_depth - anchor.depth
    weight = 1.0 / np.maximum(anchor.raw_err, 1e-9) ** 2
    found = {
        "depth": float(airs.mean()),
        "mean_err": mean_err,
        "fgs1_err": float(anchor.depth_err[0]),
        "airs_err": float(np.sqrt(np.mean(anchor.depth_err[1:] ** 2))),
        "spread": float(airs.std()),
        "fgs1_offset": float(anchor.depth[0] - airs.mean()),
        **grid,
        "raw_gap": float(np.sqrt(np.average(gap[1:] ** 2, weights=weight[1:]) * weight[1:].mean())),
        "raw_gap_mean": float(np.average(gap[1:], weights=weight[1:])),
        "raw_gap_fgs1": float(gap[0]),
        "raw_mean_err": math.sqrt(max(float(raw_covariance[1:, 1:].mean()), 1e-20)),
        "u1_fgs1": anchor.nuisance.get("fgs1_u1", 0.48),
        "u2_fgs1": anchor.nuisance.get("fgs1_u2", 0.12),
        "u1_airs": anchor.nuisance.get("airs_u1", 0.12),
        "u2_airs": anchor.nuisance.get("airs_u2", 0.13),
        "impact2": anchor.nuisance.get("impact2", 0.1),
        "n_flags": float(len(anchor.flags)),
    }
    found.update({f"quality_{k}": float(v) for k, v in quality.items()})
    return {k: v if math.isfinite(v) else 0.0 for k, v in found.items()}
