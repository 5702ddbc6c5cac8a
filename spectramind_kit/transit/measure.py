"""`measure_depths`: from the light curves of one planet to the likelihood of its spectrum. No label enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.transit import quality
from spectramind_kit.transit.fit import FitProblem, FitResult, drift_widths, run_fit
from spectramind_kit.transit.linear_model import LIMB_NAMES, ORBIT_NAMES, Grid, PlanetState, VisitState, visit_names
from spectramind_kit.transit.measurement import DepthMeasurement
from spectramind_kit.transit.noise import VisitData, into_bands, prepare_visit, red_noise_factor
from spectramind_kit.transit.normal_equations import VisitResidual
from spectramind_kit.transit.nuisance_prior import NuisancePrior, OrbitPoint, kepler_axis
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.transit.starts import CatalogueOrbit, Start, find_starts, half_duration

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_BANDS = 6
_SHAPE_LENGTH_UM = 0.25     # correlation length of the reference spectrum
_SHAPE_MODES = 12
_SHORT_RUN = 5              # steps that tell a good start from a bad one
_GOOD_START = 1.3           # chi^2 per point below which no other start is tried


def measure_depths(light_curves: Sequence[LightCurve], star: Mapping[str, float], *,
                   settings: AnchorSettings | None = None, prior: NuisancePrior | None = None) -> DepthMeasurement:
    """Fit all visits of one planet together and return the likelihood of its 283 depths.

    Parameters
    ----------
    light_curves : one or more LightCurve of one planet
        ``flux`` (T, W) and ``flux_err`` in e- per exposure, FGS1 first; any T from a dozen up, missing points NaN.
    star : mapping
        Row of the star table: P (d), sma (a/Rs), i (deg), Ts (K), Ms, Rs. Missing entries take typical values.
    settings, prior
        Assumptions of the fit; ``prior`` takes learned nuisance priors for a second pass.

    Returns
    -------
    DepthMeasurement
        Never raises for data that cannot be fitted: the flags then say why and the information is (almost) nothing,
        so the anchor falls back to the prior with its width.

    Raises
    ------
    DataError
        No light curve was given, or they are of different planets or wavelengths: a mistake of the caller.
    """
    settings = settings or AnchorSettings()
    curves = list(light_curves)
    if not curves:
        raise DataError("no light curve was given", where="measure_depths", fix="pass at least one visit")
    if len({c.planet_id for c in curves}) > 1 or len({c.flux.shape[1] for c in curves}) > 1:
        raise DataError("the light curves are not of one planet", where="measure_depths",
                        found=str([(c.planet_id, c.flux.shape) for c in curves]), fix="pass the visits of one planet")
    wavelength = np.asarray(curves[0].wavelength_um, dtype=np.float64)
    plain_star = {str(k): float(v) for k, v in dict(star).items() if _is_number(v)}
    orbit = CatalogueOrbit.from_star(plain_star)
    flags: list[str] = [] if orbit.complete else ["star table incomplete"]
    data = []
    for curve in curves:
        try:
            data.append(prepare_visit(curve, settings=settings))
        except DataError as error:
            flags.append(f"visit {curve.visit} not used: {error.what}")
    if data:
        try:
            with torch.no_grad():
                return _measure(data, curves, wavelength, plain_star, orbit, flags, settings=settings,
                                prior=prior or NuisancePrior.from_settings(settings))
        except (RuntimeError, ArithmeticError, ValueError, IndexError) as error:   # LinAlgError is one of these
            flags.append(f"fit failed: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
    return quality.empty_measurement(curves[0].planet_id, wavelength, plain_star, _orbit_point(plain_star, orbit),
                                     tuple(flags) + ("no information",))


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _orbit_point(star: Mapping[str, float], orbit: CatalogueOrbit) -> OrbitPoint:
    reach = 1.11
    impact2 = orbit.impact_parameter**2
    return OrbitPoint(period_d=orbit.period_d, reach=reach, log_duration=math.log(half_duration(orbit, impact2, reach)),
                      impact2=impact2, catalogue_axis=orbit.semi_major_axis, catalogue_impact=orbit.impact_parameter,
                      kepler_axis=kepler_axis(star, orbit.period_d) or orbit.semi_major_axis)


# ---------------------------------------------------------------- one fit

def _spectrum_basis(wavelength: np.ndarray, settings: AnchorSettings, modes: int) -> tuple[Tensor, Tensor]:
    """Level, FGS1 offset and smooth shapes (W, M) of the reference spectrum; widths relative to the depth."""
    shapes = _smooth_shapes(wavelength[1:].tobytes(), modes)
    basis = np.zeros((len(wavelength), 2 + shapes.shape[1]))
    basis[:, 0], basis[0, 1], basis[1:, 2:] = 1.0, 1.0, shapes
    sd = np.r_[np.inf, settings.fgs1_offset_scatter, np.full(shapes.shape[1], settings.spectrum_scatter)]
    return torch.as_tensor(basis), torch.as_tensor(sd)


@lru_cache(maxsize=32)
def _smooth_shapes(wavelength_bytes: bytes, modes: int) -> np.ndarray:
    """Eigenvectors (W - 1, M) of a squared-exponential kernel, times the root of their eigenvalue; the same for every planet."""
    airs = np.frombuffer(wavelength_bytes, dtype=np.float64)
    kernel = np.exp(-0.5 * ((airs[:, None] - airs[None, :]) / _SHAPE_LENGTH_UM) ** 2)
    values, vectors = np.linalg.eigh(kernel)
    order = np.argsort(values)[::-1][:modes]
    order = order[values[order] > 1e-4 * values.max()]
    return vectors[:, order] * np.sqrt(values[order])


def _problem(data: Sequence[VisitData], wavelength: np.ndarray, bounds: tuple[float, float], star, point: OrbitPoint,
             settings: AnchorSettings, prior: NuisancePrior) -> FitProblem:
    degree, fgs1_degree = settings.drift_time_degree, settings.fgs1_drift_degree
    terms = min(settings.drift_wavelength_degree, max(len(wavelength) - 2, 0)) + 1
    grid = Grid.build(torch.as_tensor(wavelength), degree=terms - 1, low=bounds[0], high=bounds[1])
    basis, basis_sd = _spectrum_basis(wavelength, settings, _SHAPE_MODES)
    mean, sd = default_limb(settings)
    precision = np.diag(1.0 / sd**2)
    learned = prior.limb_at(star.get("Ts", 5800.0))
    if learned is not None and prior.limb_covariance is not None:
        mean, precision = learned, np.linalg.inv(prior.limb_covariance)
    drift = [(drift_widths(settings, degree)[:, None].repeat(1, terms), drift_widths(settings, fgs1_degree)) for _ in data]
    return FitProblem(data=data, grid=grid, basis=basis, basis_sd=basis_sd, point=point, settings=settings, prior=prior,
                      limb_mean=torch.as_tensor(mean), limb_precision=torch.as_tensor(precision), drift_sd=drift)


def default_limb(settings: AnchorSettings) -> tuple[np.ndarray, np.ndarray]:
    """Default mean and width (6,) of the limb-darkening coefficients."""
    fgs1, airs = settings.fgs1_limb_darkening, settings.airs_limb_darkening
    mean = np.array([fgs1[0], fgs1[1], airs[0], 0.0, airs[1], 0.0])
    wide, slope = settings.limb_darkening_scatter, settings.limb_darkening_slope_scatter
    return mean, np.array([wide, wide, wide, slope, wide, slope])


def _initial_state(problem: FitProblem, start: Start) -> tuple[PlanetState, Tensor]:
    depth = min(max(start.depth, 2e-4), 0.2)
    alpha = torch.zeros(problem.basis.shape[1], dtype=torch.float64)
    alpha[0] = depth
    visits = []
    for data, mid_time, (airs, fgs1) in zip(problem.data, start.mid_times, problem.drift_sd):
        level = (data.weight * data.flux).sum(0) / data.weight.sum(0).clamp_min(1e-300)
        visits.append(VisitState(mid_time=mid_time, time_offset=problem.prior.time_offset_mean,
                                 airs_drift=torch.zeros_like(airs), fgs1_drift=torch.zeros_like(fgs1),
                                 level=level.clamp_min(1e-6)))
    reach = 1.0 + math.sqrt(depth)
    state = PlanetState(period_d=problem.point.period_d, reach=reach, log_duration=math.log(start.half_duration_h),
                        impact2=min(start.impact2, (reach - 0.1) ** 2), limb=problem.limb_mean.clone(),
                        depth=problem.basis @ alpha, visits=visits)
    return state, alpha


def _measure(data: list[VisitData], curves: Sequence[LightCurve], wavelength: np.ndarray, star: Mapping[str, float],
             orbit: CatalogueOrbit, flags: list[str], *, settings: AnchorSettings, prior: NuisancePrior) -> DepthMeasurement:
    point = _orbit_point(star, orbit)
    bounds = (float(wavelength[1]), float(wavelength[-1]))
    n_bands = min(_BANDS, len(wavelength) - 1)
    banded = [into_bands(d, wavelength, n_bands) for d in data]
    bands, band_wavelength = [b for b, _ in banded], banded[0][1]
    tried: list[tuple[FitResult, FitProblem]] = []
    for start in find_starts(bands, orbit, settings=settings):
        problem = _problem(bands, band_wavelength, bounds, star, point, settings, prior)
        state, alpha = _initial_state(problem, start)
        tried.append((run_fit(problem, state, alpha, iterations=_SHORT_RUN, first_degree=1, robust_from=99), problem))
        if tried[-1][0].normal.chi2 < _GOOD_START * sum(int((b.weight > 0).sum()) for b in bands):
            break
    if not tried:
        raise ValueError("no start was found")
    best, best_problem = min(tried, key=lambda pair: pair[0].objective)
    best = run_fit(best_problem, best.state, best.alpha, iterations=2 * settings.iterations, first_degree=2, robust_from=1)

    data = [_with_fgs1_noise(d, b, v) for d, b, v in zip(data, bands, best.normal.visits)]
    problem = _problem(data, wavelength, bounds, star, point, settings, prior)
    problem.drift_sd = best_problem.drift_sd
    if best_problem.robust is not None:   # a glitch that all wavelengths share is known from the bands
        problem.robust = [_spread_robust(r, d.flux.shape[1]) for r, d in zip(best_problem.robust, data)]
    state, alpha = _refined_state(best, problem)
    result = run_fit(problem, state, alpha, iterations=settings.iterations, first_degree=None, robust_from=1)
    measurement = quality.summarise(result, problem, curves=curves, wavelength=wavelength, star=star, orbit=orbit,
                                    flags=flags, names=_names(result.state, data))
    if not all(np.isfinite(v).all() for v in vars(measurement).values() if isinstance(v, np.ndarray)):
        raise ValueError("the fit is not finite")
    return measurement


def _with_fgs1_noise(data: VisitData, band: VisitData, fitted: VisitResidual) -> VisitData:
    """FGS1 is one column: its noise is known to 10 % from its scatter, better from its residuals, which show slow noise too."""
    white, red = red_noise_factor(fitted.residual[:, 0], 1.0 / fitted.base_weight[:, 0].clamp_min(1e-30))
    weight, scale = data.weight.clone(), data.noise_scale.copy()
    weight[:, 0] = band.weight[:, 0] / red
    scale[0] = scale[0] * band.noise_scale[0] * math.sqrt(white)
    return replace(data, weight=weight, noise_scale=scale, fgs1_red=red / max(white, 1e-12))


def _spread_robust(band_factor: Tensor, n_wave: int) -> Tensor:
    """Outlier factors of the bands' mean in time, given to every wavelength."""
    airs = band_factor[:, 1:].median(1, keepdim=True).values
    return torch.cat([band_factor[:, :1], airs.expand(-1, n_wave - 1)], dim=1)


def _refined_state(best: FitResult, problem: FitProblem) -> tuple[PlanetState, Tensor]:
    """The bands' solution on all wavelengths, with the orbit written for the fitted radius."""
    old = best.state
    alpha = torch.zeros(problem.basis.shape[1], dtype=torch.float64)
    alpha[0] = best.alpha[0].clamp_min(1e-4)
    alpha[1] = best.alpha[1]
    reach = max(1.0 + math.sqrt(float(alpha[0])), math.sqrt(old.impact2) + 0.05)
    axis = old.semi_major_axis
    swing = min((reach**2 - old.impact2) / max(axis**2 - old.impact2, 1e-9), 1.0)
    width = math.asin(math.sqrt(swing)) * old.period_d * 24.0 / (2.0 * math.pi)
    visits = []
    for visit, data in zip(old.visits, problem.data):
        level = (data.weight * data.flux).sum(0) / data.weight.sum(0).clamp_min(1e-300)
        visits.append(replace(visit, level=level.clamp_min(1e-6)))
    state = PlanetState(period_d=old.period_d, reach=reach, log_duration=math.log(width), impact2=old.impact2,
                        limb=old.limb.clone(), depth=(problem.basis @ alpha).clamp_min(1e-5), visits=visits)
    return state, alpha


def _names(state: PlanetState, data: Sequence[VisitData]) -> tuple[str, ...]:
    names = [*ORBIT_NAMES, *LIMB_NAMES]
    for visit, own in zip(state.visits, data):
        names += visit_names(own.visit, airs_degree=visit.airs_drift.shape[0], lambda_terms=visit.airs_drift.shape[1],
                             fgs1_degree=len(visit.fgs1_drift))
    return tuple(names)

