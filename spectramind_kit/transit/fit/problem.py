"""What a fit is given and what it gives: planets, their priors at one resolution, where each fit ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from spectramind_kit.transit.fit.normal_equations import NormalEquations
from spectramind_kit.transit.fit.starts import CatalogueOrbit, catalogue_half_duration
from spectramind_kit.transit.likelihood.parameters import Grid, PlanetState
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch, take
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior, OrbitPoint, kepler_axis
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


@dataclass(frozen=True)
class PlanetInputs:
    """What a fit knows of N planets before it begins; drift widths and outlier factors are re-estimated on
    the way."""

    data: LightCurveBatch
    point: OrbitPoint  # star table (its reference values are replaced as the fit moves)
    limb_mean: Tensor  # (N, 8)
    limb_precision: Tensor  # (N, 8, 8)
    airs_drift_sd: Tensor  # (N, V, A, Q)
    fgs1_drift_sd: Tensor  # (N, V, A_f)
    robust: Tensor  # (N, V, W, T) in (0, 1]
    has_outliers: Tensor  # (N,) whether any factor of ``robust`` was ever below 1


@dataclass(frozen=True)
class FitProblem:
    """Planets at one spectral resolution, and the priors of the fit, which they share."""

    planets: PlanetInputs
    grid: Grid
    # (W, M) spectrum = basis @ alpha; column 0 level, 1 FGS1 offset, rest shapes
    basis: Tensor
    basis_sd: Tensor  # (M,) relative to the depth; inf for the level
    settings: AnchorSettings
    prior: NuisancePrior

    def of(self, index) -> FitProblem:
        """The same problem for some of its planets."""
        return replace(self, planets=take(self.planets, index))


@dataclass(frozen=True)
class FitResult:
    """Where each planet's fit stands or ended. M basis coefficients, K nuisances."""

    planets: PlanetInputs
    state: PlanetState
    alpha: Tensor  # (N, M)
    normal: NormalEquations
    covariance: Tensor  # (N, M + K, M + K) posterior of alpha and nuisances
    damping: Tensor  # (N,)
    tries: Tensor  # (N,) dampings tried in vain for the present step
    steps: Tensor  # (N,)
    stage: Tensor  # (N,) degree in time that the drift may have
    converged: Tensor  # (N,)


@dataclass(frozen=True)
class PlanetCase:
    """One planet, made ready for the fit."""

    curves: list[LightCurve]
    wavelength: np.ndarray
    star: Mapping[str, float]
    orbit: CatalogueOrbit
    visits: list[VisitData]
    flags: tuple[str, ...]

    @property
    def point(self) -> dict[str, float]:
        reach = 1.11
        impact2 = self.orbit.impact_parameter**2
        return dict(
            period_d=self.orbit.period_d,
            reach=reach,
            impact2=impact2,
            log_duration=math.log(catalogue_half_duration(self.orbit, impact2, reach)),
            catalogue_axis=self.orbit.semi_major_axis,
            catalogue_impact=self.orbit.impact_parameter,
            kepler_axis=kepler_axis(self.star, self.orbit.period_d) or self.orbit.semi_major_axis,
        )
