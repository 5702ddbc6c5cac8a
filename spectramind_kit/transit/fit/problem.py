"""What a fit is given and what it gives: planets, their priors at one resolution, where each fit ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spectramind_kit.transit.fit.normal_equations import NormalEquations, assemble
from spectramind_kit.transit.likelihood.parameters import Grid, PlanetState
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch, take
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.priors.orbit_point import OrbitPoint
from spectramind_kit.transit.settings import AnchorSettings


@dataclass(frozen=True)
class Assumptions:
    """Of all fits of a call, and where they run, in float64."""

    settings: AnchorSettings
    prior: NuisancePrior
    device: torch.device | str = "cpu"


@dataclass(frozen=True)
class PlanetInputs:
    """What a fit knows of N planets at its beginning; drift widths and outlier factors change on the way."""

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
    basis: Tensor  # (W, M) spectrum = basis @ alpha; column 0 level, 1 FGS1 offset, rest shapes
    basis_sd: Tensor  # (M,) relative to the depth; inf for the level
    settings: AnchorSettings
    prior: NuisancePrior

    def of(self, index: list[int]) -> FitProblem:
        """The same problem for some of its planets."""
        return replace(self, planets=take(self.planets, index))

    def linearised(self, planets: PlanetInputs, state: PlanetState) -> NormalEquations:
        """At ``state``, for planets of this problem as they stand by now."""
        return assemble(state, planets.data, self.grid, settings=self.settings, robust=planets.robust)


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
