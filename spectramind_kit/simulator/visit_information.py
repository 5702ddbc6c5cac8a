"""Fisher information of the depths in one visit's light curve.

The light curve is linearised in its depths and in all that is not known beside them: star level per
wavelength, drift f(t)·g(λ), mid-transit time, a/Rs, impact parameter, limb darkening. With their priors (what
the catalogue and stellar models tell) these nuisances are marginalised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.simulator.constants import BLOCKS_REDUCED
from spectramind_kit.simulator.light_curves import bin_centres
from spectramind_kit.simulator.noise_model import captured, constant_variance, exposures_per_bin
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.star_flux import batch_flux
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import bin_wavelengths, grid_to_bins

_TIME_DEGREE, _WAVELENGTH_DEGREE = 4, 4
_DRIFT_PRIOR = 5e-4  # generous: docs/decisions.md D60
# Steps of the differences that stand for derivatives: relative, h, relative, b², u.
_DEPTH_STEP, _TIME_STEP, _AXIS_STEP, _B_SQUARED_STEP, _LIMB_STEP = 2e-3, 2e-3, 1e-3, 2e-3, 1e-2


@dataclass(frozen=True)
class Priors:
    """1σ of what is known before a light curve is seen."""

    semi_major_axis: float = 0.05  # relative
    impact_parameter: float = 0.03
    fgs1_limb_darkening: float = 0.025  # of u1 and u2
    airs_limb_darkening: float = 0.012
    airs_limb_darkening_slope: float = 0.004  # of u1 per µm


CATALOGUE = Priors()


@dataclass(frozen=True)
class _Derivatives:
    flux: np.ndarray  # (T, 283) e⁻ per exposure
    by_depth: np.ndarray  # (T, 283) ∂flux/∂depth
    by_nuisance: np.ndarray  # (T, 283, G) ∂ln flux/∂nuisance
    prior_sigma: np.ndarray  # (G,) of the nuisances


def visit_information(visit: VisitTruth, *, priors: Priors = CATALOGUE) -> np.ndarray:
    """(283, 283) information, nuisances marginalised (1 / depth²)."""
    time, exposure_h = bin_centres(BLOCKS_REDUCED)
    slopes = derivatives(visit, time, exposure_h, priors)
    level = slopes.flux * captured(visit.optics)
    variance = level + constant_variance(visit, adc_gain=Settings.adc_gain)
    relative = np.sqrt(variance / exposures_per_bin(exposure_h)) / level  # (T, 283)
    depth = slopes.by_depth / slopes.flux / relative
    star = 1.0 / relative
    nuisance = slopes.by_nuisance / relative[:, :, None]  # (T, 283, G)
    # Each wavelength's star level is projected out by itself; what is left is an arrow: diagonal depths,
    # dense nuisances.
    norm = (star**2).sum(0)
    depth = depth - star * ((star * depth).sum(0) / norm)
    nuisance = nuisance - star[:, :, None] * (np.einsum("tk,tkg->kg", star, nuisance) / norm[:, None])
    depth_nuisance = np.einsum("tk,tkg->kg", depth, nuisance)
    flat = nuisance.reshape(-1, nuisance.shape[-1])
    nuisance_nuisance = flat.T @ flat + np.diag(slopes.prior_sigma**-2.0)
    explained = depth_nuisance @ np.linalg.solve(nuisance_nuisance, depth_nuisance.T)
    return np.diag((depth**2).sum(0)) - explained


def derivatives(visit: VisitTruth, time: np.ndarray, exposure_h: float, priors: Priors) -> _Derivatives:
    """By differences: depth, then mid-transit time, a/Rs, b², limb darkening; the drift's are its basis."""
    planet, b = visit.planet, visit.planet.impact_parameter

    def orbit(axis: float, b_squared: float) -> VisitTruth:
        inclination = float(np.degrees(np.arccos(np.sqrt(b_squared) / axis)))
        return replace(visit, planet=replace(planet, semi_major_axis=axis, inclination_deg=inclination))

    def dark(which: int, direction: np.ndarray) -> VisitTruth:
        changed = list(visit.limb_darkening)
        changed[which] = changed[which] + direction * _LIMB_STEP
        return replace(visit, limb_darkening=tuple(changed))

    limb = _limb_directions(visit.grid_um, priors)
    changed = [
        visit,
        replace(visit, depth=visit.depth * (1.0 + _DEPTH_STEP)),
        replace(visit, mid_transit_time=visit.mid_transit_time + _TIME_STEP),
        orbit(planet.semi_major_axis * (1.0 + _AXIS_STEP), b * b),
        orbit(planet.semi_major_axis, b * b + _B_SQUARED_STEP),
        *(dark(which, direction) for which, direction, _ in limb),
    ]
    curves = batch_flux(changed, time, exposure_h=exposure_h).numpy()
    flux, steps = curves[0], np.array([_TIME_STEP, _AXIS_STEP, _B_SQUARED_STEP, *[_LIMB_STEP] * len(limb)])
    relative = (curves[2:] - flux) / flux / steps[:, None, None]
    drift = _drift_basis(time, bin_wavelengths())
    b_sigma = 2.0 * b * priors.impact_parameter + priors.impact_parameter**2
    sigma = [1.0, priors.semi_major_axis, b_sigma, *(s for *_, s in limb), *[_DRIFT_PRIOR] * drift.shape[2]]
    return _Derivatives(
        flux=flux,
        by_depth=(curves[1] - flux) / (_DEPTH_STEP * grid_to_bins(visit.depth)),
        by_nuisance=np.concatenate([np.moveaxis(relative, 0, 2), drift], axis=2),
        prior_sigma=np.array(sigma),
    )


def _limb_directions(grid_um: np.ndarray, priors: Priors) -> list[tuple[int, np.ndarray, float]]:
    """(0 for u1 or 1 for u2, the wavelengths that change together, prior σ) of each nuisance."""
    fgs1 = (grid_um < 1.0).astype(float)
    tilt = np.where(grid_um < 1.0, 0.0, grid_um - 2.9)
    levels = ((fgs1, priors.fgs1_limb_darkening), (1.0 - fgs1, priors.airs_limb_darkening))
    free = [(which, direction, sigma) for direction, sigma in levels for which in (0, 1)]
    return [*free, (0, tilt, priors.airs_limb_darkening_slope)]


def _drift_basis(time: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """(T, 283, G) products of Legendre polynomials in time and wavelength for AIRS, and in time for FGS1."""
    t = np.polynomial.legendre.legvander(2.0 * time / time[-1] - 1.0, _TIME_DEGREE)[:, 1:]
    x = np.polynomial.legendre.legvander((wavelength - 2.92) / 0.98, _WAVELENGTH_DEGREE)
    x[0] = 0.0
    airs = np.einsum("ti,kj->tkij", t, x).reshape(len(time), len(wavelength), -1)
    fgs1 = np.zeros((len(time), len(wavelength), _TIME_DEGREE))
    fgs1[:, 0] = t
    return np.concatenate([airs, fgs1], axis=2)
