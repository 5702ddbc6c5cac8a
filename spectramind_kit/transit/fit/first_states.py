"""What a fit starts from: the planets of a batch with their priors, the smooth basis of their spectra, their
first states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.fit.drift_size import drift_widths
from spectramind_kit.transit.fit.problem import FitProblem, FitResult, PlanetCase, PlanetInputs
from spectramind_kit.transit.fit.starts import Start
from spectramind_kit.transit.likelihood.linear_model import half_duration
from spectramind_kit.transit.likelihood.parameters import LIMB_DEGREE, Grid, PlanetState
from spectramind_kit.transit.likelihood.planet_batch import stack_visits, to_device
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.priors.nuisance_prior import TEMPERATURE_PIVOT_K, NuisancePrior, OrbitPoint
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    pass

_SHAPE_LENGTH_UM = 0.25  # correlation length of the reference spectrum
_SHAPE_MODES = 12


def fit_problem(
    group: Sequence[PlanetCase],
    visits: Sequence[Sequence[VisitData]],
    wavelength: np.ndarray,
    *,
    settings: AnchorSettings,
    prior: NuisancePrior,
    device: torch.device | str,
) -> FitProblem:
    """Planets of equal shape at one resolution (the bands' or the full one), drift and outliers not yet
    known."""
    n, v = len(group), len(visits[0])
    full = group[0].wavelength
    terms = min(settings.drift_wavelength_degree, max(len(wavelength) - 2, 0)) + 1
    grid = Grid.build(torch.as_tensor(wavelength), degree=terms - 1, low=float(full[1]), high=float(full[-1]))
    basis, basis_sd = _spectrum_basis(wavelength, settings, _SHAPE_MODES)
    mean, sd = default_limb(settings)
    limb_mean, limb_precision = np.tile(mean, (n, 1)), np.diag(1.0 / sd**2)
    if prior.limb_mean is not None and prior.limb_covariance is not None:
        limb_mean = np.array([prior.limb_at(case.star.get("Ts", TEMPERATURE_PIVOT_K)) for case in group])
        limb_precision = np.linalg.inv(prior.limb_covariance)
    data = stack_visits(visits)
    planets = PlanetInputs(
        data=data,
        point=OrbitPoint.stacked([case.point for case in group]),
        limb_mean=torch.as_tensor(limb_mean),
        limb_precision=torch.as_tensor(limb_precision).repeat(n, 1, 1),
        airs_drift_sd=drift_widths(settings, settings.drift_time_degree)[:, None].repeat(n, v, 1, terms),
        fgs1_drift_sd=drift_widths(settings, settings.fgs1_drift_degree).repeat(n, v, 1),
        robust=torch.ones_like(data.weight),
        has_outliers=torch.zeros(n, dtype=torch.bool),
    )
    return FitProblem(
        planets=to_device(planets, device),
        grid=to_device(grid, device),
        basis=basis.to(device),
        basis_sd=basis_sd.to(device),
        settings=settings,
        prior=prior,
    )


def _spectrum_basis(wavelength: np.ndarray, settings: AnchorSettings, modes: int) -> tuple[Tensor, Tensor]:
    """Level, FGS1 offset and smooth shapes (W, M) of the reference spectrum; widths relative to the depth."""
    shapes = _smooth_shapes(wavelength[1:].tobytes(), modes)
    basis = np.zeros((len(wavelength), 2 + shapes.shape[1]))
    basis[:, 0], basis[0, 1], basis[1:, 2:] = 1.0, 1.0, shapes
    sd = np.r_[np.inf, settings.fgs1_offset_scatter, np.full(shapes.shape[1], settings.spectrum_scatter)]
    return torch.as_tensor(basis), torch.as_tensor(sd)


@lru_cache(maxsize=32)
def _smooth_shapes(wavelength_bytes: bytes, modes: int) -> np.ndarray:
    """Eigenvectors (W - 1, M) of a squared-exponential kernel, times the root of their eigenvalue; the same
    for every planet."""
    airs = np.frombuffer(wavelength_bytes, dtype=np.float64)
    kernel = np.exp(-0.5 * ((airs[:, None] - airs[None, :]) / _SHAPE_LENGTH_UM) ** 2)
    values, vectors = np.linalg.eigh(kernel)
    order = np.argsort(values)[::-1][:modes]
    order = order[values[order] > 1e-4 * values.max()]
    return vectors[:, order] * np.sqrt(values[order])


def default_limb(settings: AnchorSettings) -> tuple[np.ndarray, np.ndarray]:
    """Default mean and width (8,) of the limb-darkening coefficients."""
    fgs1, airs = settings.fgs1_limb_darkening, settings.airs_limb_darkening
    varying = [0.0] * LIMB_DEGREE
    widths = [
        settings.limb_darkening_scatter,
        settings.limb_darkening_slope_scatter,
        settings.limb_darkening_curve_scatter,
    ]
    return np.array([*fgs1, airs[0], *varying, airs[1], *varying]), np.array(widths[:1] * 2 + widths * 2)


def initial_states(problem: FitProblem, starts: Sequence[Start]) -> tuple[PlanetState, Tensor]:
    planets, device = problem.planets, problem.basis.device

    def numbers(values) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    depth = numbers([min(max(s.depth, 2e-4), 0.2) for s in starts])
    alpha = torch.zeros(len(starts), problem.basis.shape[1], dtype=torch.float64, device=device)
    alpha[:, 0] = depth
    reach = 1.0 + depth.sqrt()
    mid_time = numbers([s.mid_times for s in starts])
    state = PlanetState(
        period_d=planets.point.period_d,
        reach=reach,
        log_duration=numbers([s.half_duration_h for s in starts]).log(),
        impact2=torch.minimum(numbers([s.impact2 for s in starts]), (reach - 0.1).square()),
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
    alpha = torch.zeros(len(old.reach), problem.basis.shape[1], dtype=torch.float64, device=old.reach.device)
    alpha[:, 0], alpha[:, 1] = best.alpha[:, 0].clamp_min(1e-4), best.alpha[:, 1]
    reach = torch.maximum(1.0 + alpha[:, 0].sqrt(), old.impact2.sqrt() + 0.05)
    width = half_duration(
        period_d=old.period_d, semi_major_axis=old.semi_major_axis, impact2=old.impact2, reach=reach
    )
    return replace(
        old, reach=reach, log_duration=width.log(), depth=(alpha @ problem.basis.T).clamp_min(1e-5)
    ), alpha
