"""Planets of equal shape, fitted in one go: bands first, from several starts, then all wavelengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.fit.first_states import fit_problem, initial_states, refined_states
from spectramind_kit.transit.fit.misfit import sensor_chi2, with_trusted_weights
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import Assumptions, FitProblem, FitResult
from spectramind_kit.transit.fit.starts import Start, find_starts
from spectramind_kit.transit.fit.steps import objective, run_fit
from spectramind_kit.transit.fit.summary import no_information, summarise
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.planet_batch import put, take
from spectramind_kit.transit.likelihood.visit_data import VisitData, into_bands
from spectramind_kit.transit.likelihood.visit_noise import red_noise_factor

_BANDS = 6
_SHORT_RUN = 5  # steps that tell a good start from a bad one
_NEVER = 99
_GOOD_START = 1.3  # chi^2 per point below which no other start is tried
# planets at full resolution: what stays in a processor's cache, what fills a GPU
_TOGETHER = {"cpu": 1, "cuda": 64}
# what data can break: they cost their planet, not the run. LinAlgError is one of these.
DATA_FAULTS = (RuntimeError, ArithmeticError, ValueError, IndexError)


def fit_batch(group: Sequence[PlanetCase], assumptions: Assumptions) -> list[DepthMeasurement]:
    settings, wavelength = assumptions.settings, group[0].wavelength
    n_bands = min(_BANDS, len(wavelength) - 1)
    banded = [[into_bands(visit, wavelength, n_bands) for visit in case.visits] for case in group]
    bands, band_wavelength = [[band for band, _ in visits] for visits in banded], banded[0][0][1]
    starts = [find_starts(own, case.orbit, settings=settings) for own, case in zip(bands, group)]
    problem = fit_problem(group, bands, band_wavelength, assumptions)
    best = _best_start(problem, starts)
    problem = replace(problem, planets=best.planets)
    long_run = dict(iterations=2 * settings.iterations, first_degree=2, robust_from=1)
    best = run_fit(problem, best.state, best.alpha, **long_run)
    found = []
    together = _TOGETHER.get(torch.device(assumptions.device).type, 1)
    for first in range(0, len(group), together):
        part = slice(first, first + together)
        found += _fit_all_wavelengths(group[part], bands[part], take(best, part), assumptions)
    return found


def _best_start(problem: FitProblem, starts: Sequence[Sequence[Start]]) -> FitResult:
    """Short fits from each planet's first start, from others only where that fits badly; the best of each."""
    points = (problem.planets.data.weight > 0).sum((1, 2, 3)).double()
    short_run = partial(run_fit, iterations=_SHORT_RUN, first_degree=1, robust_from=_NEVER)
    best = short_run(problem, *initial_states(problem, [s[0] for s in starts]))
    lowest = best.normal.chi2
    for number in range(1, max(len(s) for s in starts)):
        bad = (lowest >= _GOOD_START * points).tolist()
        todo = [k for k, s in enumerate(starts) if number < len(s) and bad[k]]
        if not todo:
            break
        some = problem.of(todo)
        other = short_run(some, *initial_states(some, [starts[k][number] for k in todo]))
        better = objective(some, other) < objective(some, take(best, todo))
        where = torch.tensor(todo, device=better.device)
        lowest = lowest.index_copy(0, where, torch.minimum(lowest[where], other.normal.chi2))
        best = put(best, where[better], take(other, better))
    return best


def _fit_all_wavelengths(
    group: Sequence[PlanetCase],
    bands: Sequence[Sequence[VisitData]],
    best: FitResult,
    assumptions: Assumptions,
) -> list[DepthMeasurement]:
    """``bands``: the planets' visits in bands, ``best``: their solution."""
    group = _with_fgs1_noise(group, bands, best)
    problem = fit_problem(group, [case.visits for case in group], group[0].wavelength, assumptions)
    problem = _with_what_bands_told(problem, best)
    whole = dict(iterations=assumptions.settings.iterations, first_degree=None, robust_from=1)
    result = run_fit(problem, *refined_states(best, problem), **whole)
    chi2, chance = sensor_chi2(result.normal.weight, result.normal.residual)
    result = with_trusted_weights(problem, result, chi2, chance)
    return [_measurement(problem, result, k, case, chi2[k].cpu()) for k, case in enumerate(group)]


def _measurement(
    problem: FitProblem, result: FitResult, k: int, case: PlanetCase, chi2: Tensor
) -> DepthMeasurement:
    try:
        found = summarise(problem, result, k, case, chi2)
        if not all(np.isfinite(v).all() for v in vars(found).values() if isinstance(v, np.ndarray)):
            raise ValueError("the fit is not finite")
    except DATA_FAULTS as error:
        return no_information(case, error)
    return found


def _with_what_bands_told(problem: FitProblem, best: FitResult) -> FitProblem:
    """The drift's size, and glitches: one that all wavelengths share is known from the bands."""
    told, n_airs = best.planets, len(problem.basis) - 1
    fgs1, bands = told.robust[:, :, :1], told.robust[:, :, 1:]
    airs = bands.median(2, keepdim=True).values.expand(-1, -1, n_airs, -1)
    planets = replace(
        problem.planets,
        airs_drift_sd=told.airs_drift_sd,
        fgs1_drift_sd=told.fgs1_drift_sd,
        robust=torch.cat([fgs1, airs], 2),
        has_outliers=told.has_outliers,
    )
    return replace(problem, planets=planets)


def _with_fgs1_noise(
    group: Sequence[PlanetCase], bands: Sequence[Sequence[VisitData]], best: FitResult
) -> list[PlanetCase]:
    """FGS1 is one column: its noise is known to 10 % from its scatter, better from its residuals in the
    bands, which show slow noise too."""
    residual, base_weight = (v[:, :, 0].cpu() for v in (best.normal.residual, best.normal.base_weight))
    found = []
    for case, *own in zip(group, bands, residual, base_weight):
        visits = [_fgs1_noise(*visit) for visit in zip(case.visits, *own)]
        found.append(replace(case, visits=visits))
    return found


def _fgs1_noise(data: VisitData, band: VisitData, residual: Tensor, base_weight: Tensor) -> VisitData:
    n = len(data.time)
    white, red = red_noise_factor(residual[:n], 1.0 / base_weight[:n].clamp_min(1e-30))
    weight, scale = data.weight.clone(), data.noise_scale.copy()
    weight[:, 0] = band.weight[:, 0] / red
    scale[0] = scale[0] * band.noise_scale[0] * math.sqrt(white)
    return replace(data, weight=weight, noise_scale=scale, fgs1_red=red / max(white, 1e-12))
