"""From a converged fit to a `DepthMeasurement`: shared noise, visits that disagree, flags, what predicts the
error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit import flags
from spectramind_kit.transit.fit.common_noise import common_noise_factors, common_noise_variance
from spectramind_kit.transit.fit.normal_equations import VisitEquations, visit_places, white_columns
from spectramind_kit.transit.fit.problem import FitProblem, FitResult
from spectramind_kit.transit.fit.starts import CatalogueOrbit
from spectramind_kit.transit.fit.steps import orbit_point, own_priors
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.parameters import (
    LIMB_NAMES,
    ORBIT_NAMES,
    SHARED,
    Grid,
    nuisances,
    visit_names,
)
from spectramind_kit.transit.likelihood.planet_batch import take, to_device
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.orbit import transit_duration

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

# standard deviations of chi^2 beyond 1 from which a sensor's information is divided by it
_BEYOND_CHANCE = 3.0
# Thresholds of the flags; what each does to the error is in `flags`, why: docs/decisions.md D23, D24, D27
_WHOLE_TRANSIT = 0.985  # share of T14: the rest is a bin or less
# points outside the transit in all, and on its shorter side: a drift of degree 4 is bent by fewer
_LITTLE_BASELINE, _SHORT_SIDE = 12, 3
_MANY_OUTLIERS, _OUTLYING_TIMES = 0.02, 3
_MANY_MISSING = 0.02
_POOR_AIRS_CHI2, _POOR_FGS1_CHI2 = 1.25, 1.6
_GRAZING = 0.9  # b > 1 - 0.9 Rp/Rs: the planet is never, or hardly ever, whole in front of the star
_NEAR_GRAZING = 0.8
_ORBIT_FAR = 0.2  # |ln| of a/Rs over the star table's; 5 % is usual
_DISAGREE_SIGMA = 3.5
_SHALLOW_DEPTH, _SHALLOW_SIGMA = 1e-3, 15.0


def visit_disagreement(visits: VisitEquations, own_sd: Tensor) -> tuple[float, float]:
    """Largest difference of the visits' own depth levels, in depth and in sigma (orbit and limb darkening
    shared).

    ``own_sd`` (V, K_own): prior widths of each visit's clocks and drift.
    """
    levels = []
    for v, sd in enumerate(own_sd):
        information, coupling = visits.information[v, SHARED:, SHARED:], visits.coupling[v, :, SHARED:]
        n = len(sd)
        total = torch.zeros(2 + n, 2 + n, dtype=sd.dtype)
        total[2:, 2:] = information + torch.diag(1.0 / torch.cat([sd.new_tensor([10.0]), sd[1:]]).square())
        score = torch.cat([torch.zeros(2, dtype=sd.dtype), visits.score[v, SHARED:]])
        for k, part in enumerate((slice(1, None), slice(0, 1))):  # a level for AIRS-CH0 and one for FGS1
            total[k, k] = visits.depth_information[v, part].sum() + 1.0
            total[k, 2:] = total[2:, k] = coupling[part].sum(0)
            score[k] = visits.depth_score[v, part].sum()
        covariance = torch.linalg.inv(total)
        levels.append((float((covariance @ score)[0]), float(covariance[0, 0])))
    gaps = [(abs(a[0] - b[0]), math.sqrt(a[1] + b[1])) for i, a in enumerate(levels) for b in levels[:i]]
    if not gaps:
        return 0.0, 0.0
    gap, sigma = max(gaps, key=lambda g: g[0] / max(g[1], 1e-12))
    return gap, gap / max(sigma, 1e-12)


def sensor_chi2(weight: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """chi^2 per degree of freedom of AIRS-CH0 and FGS1, (..., 2), and its standard deviation by chance;
    weight, residual (..., W, T)."""
    found, chance = [], []
    for part in (slice(1, None), slice(0, 1)):
        used = weight[..., part, :] > 0
        freedom = (used.sum((-2, -1)) - 2 * used.any(-1).sum(-1) - 8).clamp_min(1).double()
        found.append((weight[..., part, :] * residual[..., part, :].square()).sum((-2, -1)) / freedom)
        chance.append((2.0 / freedom).sqrt())
    return torch.stack(found, -1), torch.stack(chance, -1)


def trusted_weights(weight: Tensor, chi2: Tensor, chance: Tensor) -> Tensor:
    """Weights (N, V, W, T) of the data with each sensor of each visit divided by its own chi^2 (N, V, 2)
    where that is no chance: a model that misses the data by more than noise knows less than its curvature
    says."""
    factor = torch.where(chi2 > 1.0 + _BEYOND_CHANCE * chance, 1.0 / chi2.clamp_min(1.0), 1.0)
    airs, fgs1 = factor[..., 0, None, None], factor[..., 1, None, None]
    return torch.cat([weight[..., :1, :] * fgs1, weight[..., 1:, :] * airs], dim=-2)


def _visit_fit(
    v: int,
    row: FitResult,
    grid: Grid,
    data: VisitData,
    curve: LightCurve,
    *,
    common_noise: float,
    chi2: Tensor,
) -> VisitFit:
    """``row`` is one planet's result without its batch axis, in the processor's memory like ``grid``; chi2
    (2,) AIRS-CH0 and FGS1."""
    state, normal, n = row.state, row.normal, len(data.time)
    weight, base_weight = (value[v, :, :n] for value in (normal.weight, normal.base_weight))
    u1, u2 = state.limb_darkening(grid)
    b, airs_depth, mid_time = (
        math.sqrt(max(float(state.impact2), 0.0)),
        float(state.depth[1:].median()),
        float(state.mid_time[v]),
    )
    axis, period = float(state.semi_major_axis), float(state.period_d)
    duration = float(
        transit_duration(
            period_d=period, semi_major_axis=axis, radius_ratio=math.sqrt(airs_depth), impact_parameter=b
        )
    )
    if not math.isfinite(duration):
        duration = 2.0 * math.exp(float(state.log_duration))
    time, half = data.time, 0.5 * data.exposure_h
    inside = (time - mid_time).abs() < 0.5 * duration
    start, end = (
        max(float(time[0]) - half, mid_time - 0.5 * duration),
        min(float(time[-1]) + half, mid_time + 0.5 * duration),
    )
    coverage = float(np.clip((end - start) / max(duration, 1e-6), 0.0, 1.0))

    factor = torch.where(base_weight > 0, weight / base_weight.clamp_min(1e-300), 1.0)
    found = []
    seen = (weight > 0).any(0)
    before = int((seen & (time < mid_time - 0.5 * duration)).sum())
    after = int((seen & (time > mid_time + 0.5 * duration)).sum())
    if coverage < _WHOLE_TRANSIT:
        found.append(flags.INCOMPLETE_TRANSIT)
    if before + after < _LITTLE_BASELINE or min(before, after) < _SHORT_SIDE:
        found.append(flags.LITTLE_BASELINE)
    outliers = float((factor < 0.5).double().mean())
    if outliers > _MANY_OUTLIERS or int((factor[1:].median(0).values < 0.5).sum()) >= _OUTLYING_TIMES:
        found.append(flags.OUTLIERS)
    found += [
        flags.sensor_missing(sensor)
        for sensor, part in (("FGS1", slice(0, 1)), ("AIRS-CH0", slice(1, None)))
        if not bool((weight[part] > 0).any())
    ]
    if data.missing > _MANY_MISSING:
        found.append(flags.MISSING_POINTS)
    airs_chi2, fgs1_chi2 = chi2.tolist()
    if airs_chi2 > _POOR_AIRS_CHI2 or fgs1_chi2 > _POOR_FGS1_CHI2:
        found.append(flags.POOR_FIT)
    white_err = (
        math.sqrt(float((1.0 / weight[1:].sum(0).clamp_min(1e-300))[seen].median()))
        if bool((weight[1:] > 0).any())
        else math.inf
    )
    return VisitFit(
        visit=data.visit,
        time=np.asarray(curve.time, dtype=np.float64),
        exposure_h=float(curve.exposure_h),
        level=normal.level[v].numpy(),
        airs_drift=state.airs_drift[v].numpy(),
        fgs1_drift=state.fgs1_drift[v].numpy(),
        drift_x=grid.x.numpy(),
        depth=state.depth.numpy(),
        u1=u1.numpy(),
        u2=u2.numpy(),
        mid_transit_time=mid_time,
        fgs1_mid_transit_time=mid_time + float(state.time_offset[v]),
        duration_h=duration,
        period_d=period,
        semi_major_axis=axis,
        impact_parameter=b,
        noise_scale=data.noise_scale,
        airs_chi2=airs_chi2,
        fgs1_chi2=fgs1_chi2,
        common_noise=common_noise,
        slow_noise=common_noise / white_err,
        n_out_of_transit=int((seen & ~inside).sum()),
        n_in_transit=int((seen & inside).sum()),
        coverage=coverage,
        outlier_share=outliers,
        flags=tuple(found),
    )


def _common_noise(
    problem: FitProblem, result: FitResult, k: int, row: FitResult
) -> tuple[Tensor, Tensor, list[float]]:
    """Of all visits of planet ``k``: the factors L (W + K, m), what the score loses (W + K,), tau of each
    visit."""
    one, pairs = [k], list(zip(row.normal.weight[:, 1:], row.normal.residual[:, 1:]))
    variances = [common_noise_variance(weight, residual) for weight, residual in pairs]
    n_wave, n_nuisances = row.normal.coupling.shape
    lost = torch.zeros(n_wave + n_nuisances, dtype=torch.float64)
    factors = [lost.new_zeros(len(lost), 0)]
    if any(variances):  # else the model need not be linearised again
        depths, columns = white_columns(
            take(result.state, one),
            take(result.planets.data, one),
            problem.grid,
            settings=problem.settings,
            robust=result.planets.robust[one],
        )
        for v, (tau2, pair) in enumerate(zip(variances, pairs)):
            if tau2 > 0.0:
                own = common_noise_factors(tau2, *pair, depths[0, v].cpu(), columns[0, v].cpu())
                where = torch.cat(
                    [torch.arange(1, n_wave), n_wave + visit_places(v, columns.shape[-1] - SHARED)]
                )
                factors.append(lost.new_zeros(len(lost), own[0].shape[1]).index_copy(0, where, own[0]))
                lost[where] += own[1]
    return torch.cat(factors, dim=1), lost, [math.sqrt(tau2) for tau2 in variances]


def frames_lost(curve: LightCurve) -> float:
    """Largest share of a sensor's frames that have a time stamp but are not there, as stage 1 noted it."""
    return max(float(curve.info.get(f"{sensor}_frames_lost", 0.0)) for sensor in ("airs", "fgs1"))


def summarise(
    problem: FitProblem,
    result: FitResult,
    k: int,
    *,
    chi2: Tensor,
    visits: Sequence[VisitData],
    curves: Sequence[LightCurve],
    star: Mapping[str, float],
    orbit: CatalogueOrbit,
    known_flags: Sequence[str],
) -> DepthMeasurement:
    """The measurement that belongs to the converged fit of planet ``k`` of a batch.

    chi2 (V, 2): of AIRS-CH0 and FGS1 in each visit, before `trusted_weights`.
    """
    row, grid = to_device(take(result, k), "cpu"), to_device(problem.grid, "cpu")
    state, normal = row.state, row.normal
    n_wave = len(state.depth)
    shared, lost, taus = _common_noise(problem, result, k, row)
    score = torch.cat([normal.depth_score, normal.nuisance_score]) - lost
    mean, sd = _default_prior(problem, result, k)
    gap, gap_sigma = visit_disagreement(
        normal.visits, torch.as_tensor(sd[SHARED:]).unflatten(0, (len(visits), -1))
    )
    curve_of = {int(c.visit): c for c in curves}
    fits = tuple(
        _visit_fit(v, row, grid, data, curve_of[data.visit], common_noise=taus[v], chi2=chi2[v])
        for v, data in enumerate(visits)
    )
    level_sigma = math.sqrt(max(float(row.covariance[0, 0]), 0.0))
    quality = {
        "airs_chi2": max(f.airs_chi2 for f in fits),
        "fgs1_chi2": max(f.fgs1_chi2 for f in fits),
        "n_out_of_transit": float(sum(f.n_out_of_transit for f in fits)),
        "coverage": min(f.coverage for f in fits),
        "outlier_share": max(f.outlier_share for f in fits),
        "common_noise": max(taus),
        # a whole visit tells how long the transit is, so that a gap in the other would not fit
        "frames_lost": min(frames_lost(curve_of[f.visit]) for f in fits),
        "fgs1_red": max(d.fgs1_red for d in visits),
        "fgs1_scale": max(float(d.noise_scale[0]) for d in visits),
        "airs_scale": max(float(np.median(d.noise_scale[1:])) for d in visits),
        "log_flux": math.log(max(float(np.mean([f.level[1:].sum() for f in fits])), 1e-9)),
        "level_sigma": level_sigma,
        "visit_gap": gap,
        "visit_gap_sigma": gap_sigma,
        "n_visits": float(len(fits)),
        "impact_parameter": fits[0].impact_parameter,
        "duration_h": fits[0].duration_h,
        "log_axis_shift": math.log(fits[0].semi_major_axis / orbit.semi_major_axis),
        "iterations": float(row.steps),
        "converged": float(row.converged),
        "drift_size": float(state.airs_drift.abs().max()),
    }
    names = [*ORBIT_NAMES, *LIMB_NAMES]
    for data in visits:
        names += visit_names(
            data.visit,
            airs_degree=state.airs_drift.shape[1],
            lambda_terms=state.airs_drift.shape[2],
            fgs1_degree=state.fgs1_drift.shape[1],
        )
    return DepthMeasurement(
        planet_id=int(curves[0].planet_id),
        wavelength_um=grid.wavelength_um.numpy(),
        reference_depth=state.depth.numpy(),
        nuisance_reference=nuisances(state).numpy(),
        depth_information=normal.depth_information.numpy(),
        coupling=normal.coupling.numpy(),
        nuisance_information=normal.nuisance_information.numpy(),
        common_noise=shared.numpy(),
        depth_score=score[:n_wave].numpy(),
        nuisance_score=score[n_wave:].numpy(),
        nuisance_names=tuple(names),
        nuisance_mean=mean,
        nuisance_sd=sd,
        orbit=orbit_point(state, row.planets.point).to_mapping(),
        visits=fits,
        star=dict(star),
        quality=quality,
        flags=tuple(known_flags) + _planet_flags(row, fits, orbit, gap_sigma, level_sigma),
    )


def _default_prior(problem: FitProblem, result: FitResult, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and width (K,) of the fit's own nuisance priors, drift widths as this planet's data gave them."""
    one = take(result.planets, [k])
    orbit = torch.stack([result.state.log_duration[k], result.state.impact2[k]])
    own_mean, own_sd = own_priors(one, problem.prior)
    limb_sd = torch.linalg.inv(one.limb_precision[0]).diagonal().sqrt()
    return (
        torch.cat([orbit, one.limb_mean[0], own_mean[0]]).cpu().numpy(),
        torch.cat([torch.ones_like(orbit), limb_sd, own_sd[0]]).cpu().numpy(),
    )


def _planet_flags(
    row: FitResult, visits: Sequence[VisitFit], orbit: CatalogueOrbit, gap_sigma: float, level_sigma: float
) -> tuple[str, ...]:
    found = [flags.of_visit(f, v.visit, n_visits=len(visits)) for v in visits for f in v.flags]
    depth = float(row.state.depth[1:].median())
    if visits[0].impact_parameter > _NEAR_GRAZING:
        found.append(flags.NEAR_GRAZING)
    if visits[0].impact_parameter > 1.0 - _GRAZING * math.sqrt(max(depth, 0.0)):
        found.append(flags.GRAZING)
    if depth < _SHALLOW_DEPTH or depth < _SHALLOW_SIGMA * level_sigma:
        found.append(flags.SHALLOW_TRANSIT)
    if abs(math.log(visits[0].semi_major_axis / orbit.semi_major_axis)) > _ORBIT_FAR:
        found.append(flags.ORBIT_FAR)
    if gap_sigma > _DISAGREE_SIGMA:
        found.append(flags.VISITS_DISAGREE)
    if not bool(row.converged):
        found.append(flags.NOT_CONVERGED)
    return tuple(found)


def empty_measurement(
    planet_id: int,
    wavelength: np.ndarray,
    star: Mapping[str, float],
    point: Mapping[str, float],
    known_flags: tuple[str, ...],
) -> DepthMeasurement:
    """A measurement that knows nothing: the anchor of such a planet is the prior."""
    n_wave, names = len(wavelength), (*ORBIT_NAMES, *LIMB_NAMES)
    n = len(names)
    reference = np.r_[point["log_duration"], point["impact2"], 0.48, 0.12, 0.12, 0.0, 0.0, 0.13, 0.0, 0.0]
    return DepthMeasurement(
        planet_id=int(planet_id),
        wavelength_um=wavelength,
        reference_depth=np.full(n_wave, 0.0147),
        nuisance_reference=reference,
        depth_information=np.full(n_wave, 1e-3),
        coupling=np.zeros((n_wave, n)),
        nuisance_information=np.eye(n) * 1e-6,
        common_noise=np.zeros((n_wave + n, 0)),
        depth_score=np.zeros(n_wave),
        nuisance_score=np.zeros(n),
        nuisance_names=names,
        nuisance_mean=reference,
        nuisance_sd=np.full(n, 0.1),
        orbit=dict(point),
        visits=(),
        star=dict(star),
        quality={
            "airs_chi2": 1.0,
            "fgs1_chi2": 1.0,
            "n_out_of_transit": 0.0,
            "coverage": 0.0,
            "outlier_share": 0.0,
            "common_noise": 0.0,
            "frames_lost": 0.0,
            "fgs1_red": 1.0,
            "fgs1_scale": 1.0,
            "airs_scale": 1.0,
            "log_flux": 16.0,
            "level_sigma": 0.01,
            "visit_gap": 0.0,
            "visit_gap_sigma": 0.0,
            "n_visits": 0.0,
            "impact_parameter": math.sqrt(max(point["impact2"], 0.0)),
            "duration_h": 2.0 * math.exp(point["log_duration"]),
            "log_axis_shift": 0.0,
            "iterations": 0.0,
            "converged": 0.0,
            "drift_size": 0.0,
        },
        flags=known_flags,
    )
