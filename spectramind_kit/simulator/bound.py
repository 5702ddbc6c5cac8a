"""How well can a spectrum be known? Fisher information of a planet's light curves, as a score.

For every planet the light curve is linearised in its depths and in all that is not known beside them: star
level per wavelength, drift f(t)·g(λ), mid-transit time, a/Rs, impact parameter, limb darkening. With their
priors (what the catalogue and stellar models tell) these nuisances are marginalised; a spectral prior is
added; and the mismatch of labels enters as one more error whose distribution is known and whose value is not.
The covariance that remains gives the best σ, and the best σ gives the expected score.

Within linear-Gaussian inference this is a bound. It is generous where it has to choose: the prior knows the
true amplitude of each planet's features, and the drift's form is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.simulator.contamination import draw_contamination
from spectramind_kit.simulator.noise_model import Extraction, exposure_variance, exposures_per_bin
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import bin_wavelengths, grid_to_bins, grid_wavelengths

_TIME_DEGREE, _WAVELENGTH_DEGREE = 4, 4
_DRIFT_PRIOR = 5e-4  # generous: docs/decisions.md D60


@dataclass(frozen=True)
class Priors:
    """1σ of what is known before a light curve is seen: a/Rs (relative), impact parameter, limb darkening (u
    of FGS1; level and slope per µm of AIRS)."""

    semi_major_axis: float = 0.05
    impact_parameter: float = 0.03
    fgs1_limb_darkening: float = 0.025
    airs_limb_darkening: float = 0.012
    airs_limb_darkening_slope: float = 0.004


@dataclass(frozen=True)
class SpectralKnowledge:
    """What a population of labels teaches: covariance (283, 283) of a spectrum about its AIRS mean, divided
    by the square of its AIRS spread; variance of the level; covariance (283, 283) of relative mismatch; and
    the naive mean and spread."""

    shape_covariance: np.ndarray
    level_sigma: float
    mismatch_covariance: np.ndarray
    naive_mean: float
    naive_sigma: float


def learn_knowledge(
    labels: np.ndarray, *, seed: int, settings: Settings = Settings(), draws: int = 4000
) -> SpectralKnowledge:
    """From labels (N, 283) of many planets, N ≥ 300, and draws of the mismatch."""
    if labels.ndim != 2 or len(labels) < 300:
        raise DataError(
            "a spectral prior needs many labels",
            where="simulator.bound",
            expected="(N ≥ 300, 283)",
            found=str(labels.shape),
        )
    airs = labels[:, 1:]
    level, spread = airs.mean(1), airs.std(1)
    shape = (labels - level[:, None]) / spread[:, None]
    mean = np.average(shape, axis=0)
    centred = shape - mean
    rng = np.random.default_rng([seed, 77])
    grid = grid_wavelengths()
    factors = np.stack(
        [
            grid_to_bins(
                draw_contamination(
                    rng,
                    grid,
                    rng.uniform(4600, 6700),
                    spot_fraction=settings.spot_fraction,
                    dilution_fraction=settings.dilution_fraction,
                ).factor
            )
            for _ in range(draws)
        ]
    )
    return SpectralKnowledge(
        shape_covariance=np.cov(centred.T) + 1e-6 * np.eye(labels.shape[1]),
        level_sigma=float(level.std()),
        mismatch_covariance=np.cov(factors.T),
        naive_mean=float(labels.mean()),
        naive_sigma=float(labels.std()),
    )


def posterior_covariance(
    visits: Sequence[VisitTruth],
    knowledge: SpectralKnowledge,
    *,
    n_times: int = 188,
    priors: Priors = Priors(),
    mismatch: bool = True,
    use_prior: bool = True,
) -> np.ndarray:
    """(283, 283) covariance of a planet's depths after all its visits."""
    informations = [visit_information(visit, n_times=n_times, priors=priors) for visit in visits]
    return combine_information(
        informations, visits[0].label, knowledge, mismatch=mismatch, use_prior=use_prior
    )


def combine_information(
    informations: Sequence[np.ndarray],
    label: np.ndarray,
    knowledge: SpectralKnowledge,
    *,
    mismatch: bool = True,
    use_prior: bool = True,
) -> np.ndarray:
    """(283, 283) covariance from the information of each visit (`visit_information`), the mismatch of labels
    and the prior.

    Each visit has a mismatch of its own, so it enters before the visits are added up.
    """
    total = np.zeros((len(label), len(label)))
    for information in informations:
        if mismatch:
            relative = np.outer(label, label) * knowledge.mismatch_covariance
            information = np.linalg.inv(np.linalg.inv(information) + relative)
        total += information
    if use_prior:
        spread = label[1:].std()
        total = total + np.linalg.inv(
            knowledge.level_sigma**2 * np.ones_like(total) + spread**2 * knowledge.shape_covariance
        )
    return np.linalg.inv(total)


def visit_information(visit: VisitTruth, *, n_times: int = 188, priors: Priors = Priors()) -> np.ndarray:
    """(283, 283) Fisher information of the depths in one visit, nuisances marginalised (1 / depth²)."""
    from spectramind_kit.simulator.light_curves import bin_centres

    time, exposure_h = bin_centres(n_times)
    flux, by_depth, nuisance, prior_sigma = _derivatives(visit, time, exposure_h, priors)
    extraction = Extraction()
    photons, constant = exposure_variance(visit, extraction=extraction)
    level = flux * extraction.captured()
    # (T, 283)
    relative = np.sqrt((photons * level + constant) / exposures_per_bin(exposure_h)) / level
    white_depth = by_depth / flux / relative
    white_level = 1.0 / relative
    # (T, 283, G)
    white_nuisance = nuisance / relative[:, :, None]
    # Each wavelength's star level is projected out by itself; what is left is an arrow: diagonal depths,
    # dense nuisances.
    norm = (white_level**2).sum(0)
    white_depth = white_depth - white_level * ((white_level * white_depth).sum(0) / norm)
    white_nuisance = white_nuisance - white_level[:, :, None] * (
        np.einsum("tk,tkg->kg", white_level, white_nuisance) / norm[:, None]
    )
    depth_depth = (white_depth**2).sum(0)
    depth_nuisance = np.einsum("tk,tkg->kg", white_depth, white_nuisance)
    flat = white_nuisance.reshape(-1, white_nuisance.shape[-1])
    nuisance_nuisance = flat.T @ flat + np.diag(prior_sigma**-2.0)
    return np.diag(depth_depth) - depth_nuisance @ np.linalg.solve(nuisance_nuisance, depth_nuisance.T)


def expected_score(
    labels: np.ndarray, variances: np.ndarray, *, naive_mean: float, naive_sigma: float
) -> float:
    """The score that (N, 283) error variances with σ = their root earn on average: E[(y − μ)²] = σ²."""
    from spectramind_kit.metric import bin_weights, ideal_sigma

    sigma_true, weight = ideal_sigma(), bin_weights()
    sigma = np.maximum(np.sqrt(variances), 1e-15)
    reached = -np.log(sigma) - 0.5
    naive = -np.log(naive_sigma) - 0.5 * ((labels - naive_mean) / naive_sigma) ** 2
    ideal = -np.log(sigma_true)
    score = (reached - naive) / (ideal - naive)
    return float(np.clip((score * weight).sum() / (weight.sum() * len(labels)), 0.0, 1.0))


def _derivatives(visit: VisitTruth, time: np.ndarray, exposure_h: float, priors: Priors):
    """Flux (T, 283) e⁻ per exposure; ∂flux/∂depth; ∂ln flux/∂nuisance (T, 283, G) and the nuisances' prior σ
    (G,)."""
    from dataclasses import replace

    from spectramind_kit.simulator.light_curves import batch_flux

    planet, wavelength = visit.planet, bin_wavelengths()
    (u1, u2), grid = visit.limb_darkening, grid_wavelengths()
    b = planet.impact_parameter
    fgs1, tilt = (grid < 1.0).astype(float), np.where(grid < 1.0, 0.0, grid - 2.9)

    def orbit(*, sma: float = planet.semi_major_axis, b_squared: float = b * b) -> VisitTruth:
        inclination = float(np.degrees(np.arccos(np.sqrt(b_squared) / sma)))
        return replace(visit, planet=replace(planet, semi_major_axis=sma, inclination_deg=inclination))

    def dark(first, second) -> VisitTruth:
        return replace(visit, limb_darkening=(u1 + first, u2 + second))

    step, zero = 0.01, np.zeros_like(grid)
    b_step = 2e-3
    limb = (
        (fgs1, zero, priors.fgs1_limb_darkening),
        (zero, fgs1, priors.fgs1_limb_darkening),
        (1 - fgs1, zero, priors.airs_limb_darkening),
        (zero, 1 - fgs1, priors.airs_limb_darkening),
        (tilt, zero, priors.airs_limb_darkening_slope),
    )
    changed = [
        visit,
        replace(visit, depth=visit.depth * 1.002),
        replace(visit, mid_transit_time=visit.mid_transit_time + 2e-3),
        orbit(sma=planet.semi_major_axis * 1.001, b_squared=b * b),
        orbit(b_squared=b * b + b_step),
        *(dark(first * step, second * step) for first, second, _ in limb),
    ]
    curves = batch_flux(changed, time, exposure_h=exposure_h).numpy()
    flux = curves[0]
    by_depth = (curves[1] - flux) / (0.002 * grid_to_bins(visit.depth))
    relative = (
        (curves[2:] - flux) / flux / np.array([2e-3, 1e-3, b_step, *([step] * len(limb))])[:, None, None]
    )
    b_sigma = 2.0 * b * priors.impact_parameter + priors.impact_parameter**2
    sigma = [1.0, priors.semi_major_axis, b_sigma, *(s for _, _, s in limb)]
    drift, drift_sigma = _drift_basis(time, wavelength)
    return (
        flux,
        by_depth,
        np.concatenate([np.moveaxis(relative, 0, 2), drift], axis=2),
        np.array(sigma + drift_sigma),
    )


def _drift_basis(time: np.ndarray, wavelength: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """(T, 283, G) products of Legendre polynomials in time and wavelength for AIRS, and in time for FGS1."""
    t = np.polynomial.legendre.legvander(2.0 * time / time[-1] - 1.0, _TIME_DEGREE)[:, 1:]
    x = np.polynomial.legendre.legvander((wavelength - 2.92) / 0.98, _WAVELENGTH_DEGREE)
    x[0] = 0.0
    airs = np.einsum("ti,kj->tkij", t, x).reshape(len(time), len(wavelength), -1)
    fgs1 = np.zeros((len(time), len(wavelength), _TIME_DEGREE))
    fgs1[:, 0] = t
    basis = np.concatenate([airs, fgs1], axis=2)
    return basis, [_DRIFT_PRIOR] * basis.shape[2]
