"""`measure_depths`: from the light curves of planets to the likelihood of their spectra. No label enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.detector.flags import concerns_quality
from spectramind_kit.errors import DataError
from spectramind_kit.transit import flags
from spectramind_kit.transit.fit import summary
from spectramind_kit.transit.fit.first_states import fit_problem, initial_states, refined_states
from spectramind_kit.transit.fit.normal_equations import assemble
from spectramind_kit.transit.fit.problem import FitProblem, FitResult, PlanetCase
from spectramind_kit.transit.fit.second_look import second_look
from spectramind_kit.transit.fit.starts import CatalogueOrbit, Start, find_starts
from spectramind_kit.transit.fit.steps import objective, run_fit
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.planet_batch import put, take
from spectramind_kit.transit.likelihood.visit_data import (
    VisitData,
    into_bands,
    prepare_visit,
    red_noise_factor,
)
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_BANDS = 6
_SHORT_RUN = 5  # steps that tell a good start from a bad one
_GOOD_START = 1.3  # chi^2 per point below which no other start is tried
# planets at full resolution: what stays in a processor's cache, what fills a GPU
_TOGETHER = {"cpu": 1, "cuda": 64}
_DATA_FAULTS = (RuntimeError, ArithmeticError, ValueError, IndexError)  # LinAlgError is one of these


def measure_depths(
    light_curves: Sequence[LightCurve],
    star: Mapping[str, float],
    *,
    settings: AnchorSettings | None = None,
    prior: NuisancePrior | None = None,
    device: torch.device | str = "cpu",
) -> DepthMeasurement:
    """Fit all visits of one planet together and return the likelihood of its 283 depths.

    Parameters
    ----------
    light_curves : one or more LightCurve of one planet
        ``flux`` (T, W) and ``flux_err`` in e- per exposure, FGS1 first; any T from a dozen up, missing points
        NaN.
    star : mapping
        Row of the star table: P (d), sma (a/Rs), i (deg), Ts (K), Ms, Rs. Missing entries take typical
        values.
    settings, prior
        Assumptions of the fit; ``prior`` takes learned nuisance priors for a second pass.
    device
        Where the fit runs, in float64.

    Returns
    -------
    DepthMeasurement
        Never raises for data that cannot be fitted: the flags then say why and the information is (almost)
        nothing, so the anchor falls back to the prior with its width.

    Raises
    ------
    DataError
        No light curve was given, or they are of different planets or wavelengths: a mistake of the caller.
    """
    return measure_together([(light_curves, star)], settings=settings, prior=prior, device=device)[0]


def measure_together(
    planets: Sequence[tuple[Sequence[LightCurve], Mapping[str, float]]],
    *,
    settings: AnchorSettings | None = None,
    prior: NuisancePrior | None = None,
    device: torch.device | str = "cpu",
) -> list[DepthMeasurement]:
    """`measure_depths` of many planets in one go: the same numbers, but the fits share their tensors.

    Parameters
    ----------
    planets : (light curves, star table row) of each planet
        A few dozen at a time on a CPU, a few hundred on a GPU: all their light curves are in memory at once.

    Returns
    -------
    list of DepthMeasurement
        In the order given. A planet that breaks the fit of its batch is fitted again by itself, at last on
        the CPU, so it costs only itself.
    """
    settings = settings or AnchorSettings()
    prior = prior or NuisancePrior.from_settings(settings)
    cases = [_case(list(curves), star, settings) for curves, star in planets]

    def measure(some: Sequence[PlanetCase]) -> list[DepthMeasurement]:
        return _measured_in_groups(some, settings=settings, prior=prior, device=device)

    return second_look(cases, measure(cases), measure)


def _measured_in_groups(
    cases: Sequence[PlanetCase], *, settings: AnchorSettings, prior: NuisancePrior, device: torch.device | str
) -> list[DepthMeasurement]:
    """Planets of equal shape together."""
    found: dict[int, DepthMeasurement] = {}
    groups: dict[tuple, list[int]] = {}
    for k, case in enumerate(cases):
        shape = (
            len(case.visits),
            max((len(v.time) for v in case.visits), default=0),
            case.wavelength.tobytes(),
        )
        groups.setdefault(shape, []).append(k)
    for members in groups.values():
        group = [cases[k] for k in members]
        found.update(zip(members, _measured(group, settings=settings, prior=prior, device=device)))
    return [found[k] for k in range(len(cases))]


def _case(curves: list[LightCurve], star: Mapping[str, float], settings: AnchorSettings) -> PlanetCase:
    if not curves:
        raise DataError("no light curve was given", where="measure_depths", fix="pass at least one visit")
    if len({c.planet_id for c in curves}) > 1 or len({c.flux.shape[1] for c in curves}) > 1:
        raise DataError(
            "the light curves are not of one planet",
            where="measure_depths",
            found=str([(c.planet_id, c.flux.shape) for c in curves]),
            fix="pass the visits of one planet",
        )
    wavelength = np.asarray(curves[0].wavelength_um, dtype=np.float64)
    in_um = np.isfinite(wavelength).all() and bool((wavelength > 0.2).all() and (wavelength < 30.0).all())
    if wavelength.shape != (curves[0].flux.shape[1],) or not in_um or not (np.diff(wavelength[1:]) > 0).all():
        raise DataError(
            "the wavelengths do not fit the light curve",
            where=f"planet {curves[0].planet_id}",
            found=_some(wavelength),
            expected=f"{curves[0].flux.shape[1]} values in µm: FGS1, then AIRS-CH0 ascending",
            fix="use wavelengths.csv",
        )
    plain_star = {str(k): float(v) for k, v in dict(star).items() if _is_number(v)}
    orbit = CatalogueOrbit.from_star(plain_star)
    found: list[str] = [] if orbit.complete else [flags.TABLE_INCOMPLETE]
    visits = []
    for k, curve in enumerate(curves):
        twin = next(
            (other for other in curves[:k] if np.array_equal(other.flux, curve.flux, equal_nan=True)), None
        )
        if twin is not None:  # its noise is the same: it tells nothing that the other does not
            found.append(flags.visit_not_used(curve.visit, f"it holds the frames of visit {twin.visit}"))
            continue
        if any(other.visit == curve.visit for other in curves[:k]):
            raise DataError(
                "two light curves of one visit",
                where=f"planet {curve.planet_id}",
                found=f"visit {curve.visit} twice",
                fix="give each visit a number of its own",
            )
        found += [
            flags.of_visit(f, curve.visit, n_visits=len(curves)) for f in curve.flags if concerns_quality(f)
        ]
        try:
            visits.append(prepare_visit(curve, settings=settings))
        except DataError as error:
            found.append(flags.visit_not_used(curve.visit, error.what))
    return PlanetCase(curves, wavelength, plain_star, orbit, visits, tuple(found))


def _without_information(case: PlanetCase, error: Exception | None = None) -> DepthMeasurement:
    failed = [] if error is None else [flags.fit_failed(error)]
    return summary.empty_measurement(
        case.curves[0].planet_id,
        case.wavelength,
        case.star,
        case.point,
        (*case.flags, *failed, flags.NO_INFORMATION),
    )


def _some(values: np.ndarray) -> str:
    ends = values.ravel()[:3], values.ravel()[-2:]
    first, last = (", ".join(f"{v:.4g}" for v in end) for end in ends)
    return f"{values.size}: {first} … {last}"


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _measured(
    group: list[PlanetCase], *, settings: AnchorSettings, prior: NuisancePrior, device: torch.device | str
) -> list[DepthMeasurement]:
    """Planets of equal shape; halved until whatever breaks a batch stands alone."""
    if not group[0].visits:
        return [_without_information(case) for case in group]
    try:
        with torch.no_grad():
            return _fit_group(group, settings=settings, prior=prior, device=device)
    except _DATA_FAULTS as error:  # a GPU's lack of memory is one too: half of the planets may fit
        if len(group) == 1 and torch.device(device).type != "cpu":
            return _measured(group, settings=settings, prior=prior, device="cpu")
        if len(group) == 1:
            return [_without_information(group[0], error)]
    half = len(group) // 2
    return [
        m
        for part in (group[:half], group[half:])
        for m in _measured(part, settings=settings, prior=prior, device=device)
    ]


# ---------------------------------------------------------------- one batch


def _fit_group(
    group: list[PlanetCase], *, settings: AnchorSettings, prior: NuisancePrior, device: torch.device | str
) -> list[DepthMeasurement]:
    """Bands first, from several starts; then all wavelengths."""
    wavelength = group[0].wavelength
    banded = [
        [into_bands(visit, wavelength, min(_BANDS, len(wavelength) - 1)) for visit in case.visits]
        for case in group
    ]
    bands, band_wavelength = [[b for b, _ in visits] for visits in banded], banded[0][0][1]
    starts = [find_starts(b, case.orbit, settings=settings) for b, case in zip(bands, group)]
    problem = fit_problem(group, bands, band_wavelength, settings=settings, prior=prior, device=device)
    best = _best_start(problem, starts)
    best = run_fit(
        replace(problem, planets=best.planets),
        best.state,
        best.alpha,
        iterations=2 * settings.iterations,
        first_degree=2,
        robust_from=1,
    )
    found = []
    together = _TOGETHER.get(torch.device(device).type, 1)
    for first in range(0, len(group), together):
        part = slice(first, first + together)
        found += _fit_all_wavelengths(
            group[part], bands[part], take(best, part), settings=settings, prior=prior, device=device
        )
    return found


def _best_start(problem: FitProblem, starts: Sequence[Sequence[Start]]) -> FitResult:
    """Short fits from the first start of every planet, from the others only where that fits badly; the best
    of each."""
    points = (problem.planets.data.weight > 0).sum((1, 2, 3))
    best = run_fit(
        problem,
        *initial_states(problem, [s[0] for s in starts]),
        iterations=_SHORT_RUN,
        first_degree=1,
        robust_from=99,
    )
    lowest = best.normal.chi2
    for number in range(1, max(len(s) for s in starts)):
        todo = [
            k
            for k, s in enumerate(starts)
            if number < len(s) and float(lowest[k]) >= _GOOD_START * float(points[k])
        ]
        if not todo:
            break
        some = problem.of(todo)
        other = run_fit(
            some,
            *initial_states(some, [starts[k][number] for k in todo]),
            iterations=_SHORT_RUN,
            first_degree=1,
            robust_from=99,
        )
        better = objective(some, other) < objective(some, take(best, todo))
        where = torch.tensor(todo, device=better.device)
        lowest = lowest.index_copy(0, where, torch.minimum(lowest[where], other.normal.chi2))
        best = put(best, where[better], take(other, better))
    return best


# ---------------------------------------------------------------- all wavelengths


def _fit_all_wavelengths(
    group: Sequence[PlanetCase],
    bands: Sequence[Sequence[VisitData]],
    best: FitResult,
    *,
    settings: AnchorSettings,
    prior: NuisancePrior,
    device: torch.device | str,
) -> list[DepthMeasurement]:
    fgs1_residual, fgs1_weight = (
        value[:, :, 0].cpu() for value in (best.normal.residual, best.normal.base_weight)
    )
    visits = [
        [
            _with_fgs1_noise(data, band, fgs1_residual[k, v], fgs1_weight[k, v])
            for v, (data, band) in enumerate(zip(case.visits, own))
        ]
        for k, (case, own) in enumerate(zip(group, bands))
    ]
    problem = fit_problem(group, visits, group[0].wavelength, settings=settings, prior=prior, device=device)
    # a glitch that all wavelengths share is known from the bands
    robust = torch.cat(
        [
            best.planets.robust[:, :, :1],
            best.planets.robust[:, :, 1:]
            .median(2, keepdim=True)
            .values.expand(-1, -1, len(group[0].wavelength) - 1, -1),
        ],
        2,
    )
    problem = replace(
        problem,
        planets=replace(
            problem.planets,
            airs_drift_sd=best.planets.airs_drift_sd,
            robust=robust,
            fgs1_drift_sd=best.planets.fgs1_drift_sd,
            has_outliers=best.planets.has_outliers,
        ),
    )
    result = run_fit(
        problem,
        *refined_states(best, problem),
        iterations=settings.iterations,
        first_degree=None,
        robust_from=1,
    )
    chi2, chance = summary.sensor_chi2(result.normal.weight, result.normal.residual)
    result = _with_trusted_weights(problem, result, chi2, chance)
    found = []
    for k, (case, own) in enumerate(zip(group, visits)):
        try:
            measurement = summary.summarise(
                problem,
                result,
                k,
                chi2=chi2[k].cpu(),
                visits=own,
                curves=case.curves,
                star=case.star,
                orbit=case.orbit,
                known_flags=case.flags,
            )
            if not all(np.isfinite(v).all() for v in vars(measurement).values() if isinstance(v, np.ndarray)):
                raise ValueError("the fit is not finite")
        except _DATA_FAULTS as error:
            measurement = _without_information(case, error)
        found.append(measurement)
    return found


def _with_trusted_weights(problem: FitProblem, result: FitResult, chi2: Tensor, chance: Tensor) -> FitResult:
    """The same solution, linearised again where a sensor's information had to be divided by its chi^2."""
    data = result.planets.data
    weight = summary.trusted_weights(data.weight, chi2, chance)
    where = (weight != data.weight).flatten(1).any(1).nonzero()[:, 0]
    if not len(where):
        return result
    planets = replace(result.planets, data=replace(data, weight=weight))
    some = take(planets, where)
    normal = assemble(
        take(result.state, where), some.data, problem.grid, settings=problem.settings, robust=some.robust
    )
    return replace(result, planets=planets, normal=put(result.normal, where, normal))


def _with_fgs1_noise(data: VisitData, band: VisitData, residual: Tensor, base_weight: Tensor) -> VisitData:
    """FGS1 is one column: its noise is known to 10 % from its scatter, better from its residuals, which show
    slow noise too."""
    n = len(data.time)
    white, red = red_noise_factor(residual[:n], 1.0 / base_weight[:n].clamp_min(1e-30))
    weight, scale = data.weight.clone(), data.noise_scale.copy()
    weight[:, 0] = band.weight[:, 0] / red
    scale[0] = scale[0] * band.noise_scale[0] * math.sqrt(white)
    return replace(data, weight=weight, noise_scale=scale, fgs1_red=red / max(white, 1e-12))
