"""What a fit starts from: planets with their priors, the smooth basis of spectra, the first states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.fit.drift_size import drift_widths
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import Assumptions, FitProblem, FitResult, PlanetInputs
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.likelihood.parameters import LIMB_DEGREE, Grid, PlanetState
from spectramind_kit.transit.likelihood.planet_batch import stack_visits, to_device
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.priors.nuisance_prior import TEMPERATURE_PIVOT_K
from spectramind_kit.transit.priors.orbit_point import OrbitPoint
from spectramind_kit.transit.settings import AnchorSettings

_SHAPE_LENGTH_UM = 0.25  # correlation length of the reference spectrum
_SHAPE_MODES = 12
_START_DEPTHS = (2e-4, 0.2)


def fit_problem(
    group: Sequence[PlanetCase],
    visits: Sequence[Sequence[VisitData]],
    wavelength: np.ndarray,
    assumptions: Assumptions,
) -> FitProblem:
    """Planets of equal shape, in bands or at full resolution; drift and outliers are not yet known."""
    settings, prior, device = assumptions.settings, assumptions.prior, assumptions.device
    n, v = len(group), len(visits[0])
    full = group[0].wavelength
    terms = min(settings.drift_wavelength_degree, max(len(wavelength) - 2, 0)) + 1
    grid = Grid.build(torch.as_tensor(wavelength), degree=terms - 1, low=float(full[1]), high=float(full[-1]))
    basis, basis_sd = _spectrum_basis(wavelength, settings)
    mean, sd = default_limb(settings)
    limb_mean, limb_precision = np.tile(mean, (n, 1)), np.diag(1.0 / sd**2)
    if prior.limb_mean is not None and prior.limb_covariance is not None:
        limb_mean = np.array([prior.limb_at(case.star.get("Ts", TEMPERATURE_PIVOT_K)) for case in group])
        limb_precision = np.linalg.inv(prior.limb_covariance)
    data = stack_visits(visits)
    planets = PlanetInputs(
        data=data,
        point=OrbitPoint.stacked([case.orbit.point for case in group]),
        limb_mean=torch.as_tensor(limb_mean),
        limb_precision=torch.as_tensor(limb_precision).repeat(n, 1, 1),
        airs_drift_sd=drift_widths(settings, settings.drift_time_degree)[:, None].repeat(n, v, 1, terms),
        fgs1_drift_sd=drift_widths(settings, settings.fgs1_drift_degree).repeat(n, v, 1),
        robust=torch.ones_like(data.weight),
        has_outliers=torch.zeros(n, dtype=torch.bool),
    )
    return to_device(FitProblem(planets, grid, basis, basis_sd, settings, prior), device)


def _spectrum_basis(wavelength: np.ndarray, settings: AnchorSettings) -> tuple[Tensor, Tensor]:
    """Level, FGS1 offset and smooth shapes (W, M) of the reference spectrum; widths relative to the depth."""
    shapes = _smooth_shapes(wavelength[1:].tobytes())
    basis = np.zeros((len(wavelength), 2 + shapes.shape[1]))
    basis[:, 0], basis[0, 1], basis[1:, 2:] = 1.0, 1.0, shapes
    sd = np.r_[np.inf, settings.fgs1_offset_scatter, np.full(shapes.shape[1], settings.spectrum_scatter)]
    return torch.as_tensor(basis), torch.as_tensor(sd)


@lru_cache(maxsize=32)
def _smooth_shapes(wavelength_bytes: bytes) -> np.ndarray:
    """Eigenvectors (W - 1, M) of a squared-exponential kernel, times the root of their eigenvalue."""
    airs = np.frombuffer(wavelength_bytes, dtype=np.float64)
    kernel = np.exp(-0.5 * ((airs[:, None] - airs[None, :]) / _SHAPE_LENGTH_UM) ** 2)
    values, vectors = np.linalg.eigh(kernel)
    order = np.argsort(values)[::-1][:_SHAPE_MODES]
    order = order[values[order] > 1e-4 * values.max()]
    return vectors[:, order] * np.sqrt(values[order])


def default_limb(settings: AnchorSettings) -> tuple[np.ndarray, np.ndarray]:
    """Default mean and width (8,) of the limb-darkening coefficients."""
    fgs1, airs = settings.fgs1_limb_darkening, settings.airs_limb_darkening
    varying = [0.0] * LIMB_DEGREE
    level, slope, curve = (
        settings.limb_darkening_scatter,
        settings.limb_darkening_slope_scatter,
        settings.limb_darkening_curve_scatter,
    )
    widths = [level, level, *[level, slope, curve] * 2]
    return np.array([*fgs1, airs[0], *varying, airs[1], *varying]), np.array(widths)


def initial_states(problem: FitProblem, starts: Sequence[Start]) -> tuple[PlanetState, Tensor]:
    """The states at the starts, one of each planet, and their spectra in the basis: flat."""
    planets, device = problem.planets, problem.basis.device

    def numbers(name: str) -> Tensor:
        return torch.tensor([getattr(s, name) for s in starts], dtype=torch.float64, device=device)

    depth, mid_time = numbers("depth").clamp(*_START_DEPTHS), numbers("mid_times")
    alpha = _flat(depth, problem)
    reach = 1.0 + depth.sqrt()
    state = PlanetState(
        period_d=planets.point.period_d,
        reach=reach,
        log_duration=numbers("half_duration_h").log(),
        impact2=torch.minimum(numbers("impact2"), (reach - 0.1).square()),
        limb=planets.limb_mean.clone(),
        depth=alpha @ problem.basis.T,
        mid_time=mid_time,
        time_offset=torch.full_like(mid_time, problem.prior.time_offset_mean),
        airs_drift=torch.zeros_like(planets.airs_drift_sd),
        fgs1_drift=torch.zeros_like(planets.fgs1_drift_sd),
    )
    return state, alpha


def refined_states(best: FitResult, problem: FitProblem) -> tuple[PlanetState, Tensor]:
    """The bands' solution on all wavelengths, with the orbit written for the fitted radius."""
    old = best.state
    alpha = _flat(best.alpha[:, 0].clamp_min(1e-4), problem)
    alpha[:, 1] = best.alpha[:, 1]
    state = old.with_reach(torch.maximum(1.0 + alpha[:, 0].sqrt(), old.impact2.sqrt() + 0.05))
    return replace(state, depth=(alpha @ problem.basis.T).clamp_min(1e-5)), alpha


def _flat(depth: Tensor, problem: FitProblem) -> Tensor:
    """Coefficients (N, M) of flat spectra of some depths (N,)."""
    alpha = depth.new_zeros(len(depth), problem.basis.shape[1])
    alpha[:, 0] = depth
    return alpha
