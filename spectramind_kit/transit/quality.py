"""From a converged fit to a `DepthMeasurement`: shared noise, visits that disagree, flags, what predicts the error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.fit import FitProblem, FitResult, nuisances, orbit_point
from spectramind_kit.transit.linear_model import LIMB_NAMES, ORBIT_NAMES
from spectramind_kit.transit.measurement import DepthMeasurement, VisitFit
from spectramind_kit.transit.noise import red_noise_factor
from spectramind_kit.transit.normal_equations import SHARED, NormalEquations, assemble, local_columns
from spectramind_kit.transit.nuisance_prior import OrbitPoint
from spectramind_kit.transit.orbit import transit_duration
from spectramind_kit.transit.starts import CatalogueOrbit

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_COMMON_MODES = 10           # rank kept of the noise that wavelengths share
_LITTLE_BASELINE = 12
_POOR_CHI2 = 1.25
_GRAZING = 0.9            # b > 1 - 0.9 Rp/Rs: the planet is never, or hardly ever, whole in front of the star
_DISAGREE_SIGMA = 3.5
_SHALLOW_DEPTH = 1e-3


def common_noise_factors(visit, *, n_wave: int, n_nuisances: int, where: Tensor) -> tuple[Tensor, Tensor, float]:
    """Loss of information and score from noise that all AIRS wavelengths share at one time.

    The white residual y_t = sum_w wt e has the variance that independent noise explains plus tau^2 per time (pointing
    jitter, gain); slow noise counts as much as it matters for a depth (`noise.red_noise_factor`). With one extra offset per time, N(0, tau^2), eliminated:
    M -= A' (N + 1/tau^2)^-1 A, score -= A' (N + 1/tau^2)^-1 y. Returned: L (W + K, m) with M -= L L', the score's
    loss (W + K,), tau.
    """
    weight, residual = visit.weight[:, 1:], visit.residual[:, 1:]
    airs, _, depth = visit.columns
    root = weight.sqrt()
    total = weight.sum(1)
    y = (weight * residual).sum(1)
    used = total > 0
    if int(used.sum()) < 12:
        return torch.zeros(n_wave + n_nuisances, 0), torch.zeros(n_wave + n_nuisances), 0.0
    white = y / total.clamp_min(1e-300)
    _, red = red_noise_factor(white[used] - white[used].median(), 1.0 / total[used])
    tau2 = max(0.0, red - 1.0) * float((1.0 / total[used]).mean())
    factors, lost = torch.zeros(n_wave + n_nuisances, 0, dtype=y.dtype), torch.zeros(n_wave + n_nuisances, dtype=y.dtype)
    if tau2 <= 1e-3 * float((1.0 / total[used]).mean()):
        return factors, lost, 0.0
    a = torch.zeros(len(total), n_wave + n_nuisances, dtype=y.dtype)
    a[:, 1:n_wave] = root * depth[:, 1:]
    a[:, n_wave + where] = torch.stack([(root * column).sum(1) for column in airs], dim=1)
    norm = weight.sum(0).clamp_min(1e-300)
    gram = torch.diag(total + 1.0 / tau2) - (weight / norm) @ weight.T
    factor = torch.linalg.cholesky(gram)
    p = torch.linalg.solve_triangular(factor, a, upper=False)                    # M -= p' p
    lost = p.T @ torch.linalg.solve_triangular(factor, y[:, None], upper=False)[:, 0]
    scale = p.norm(dim=0).clamp_min(1e-300)
    _, values, vectors = torch.linalg.svd(p / scale, full_matrices=False)
    keep = (values > 1e-4 * values[0]).nonzero()[:_COMMON_MODES, 0]
    factors = (vectors[keep] * values[keep, None]).T * scale[:, None]
    return factors, lost, math.sqrt(tau2)


def visit_disagreement(normal: NormalEquations, problem: FitProblem, per_visit: Sequence[int]) -> tuple[float, float]:
    """Largest difference of the visits' own depth levels, in depth and in sigma (orbit and limb darkening shared)."""
    levels = []
    for number, (visit, (airs_sd, fgs1_sd)) in enumerate(zip(normal.visits, problem.drift_sd)):
        airs, fgs1, depth = visit.columns
        root = visit.weight.sqrt()
        rows = [torch.cat([torch.zeros_like(depth[:, :1]), depth[:, 1:]], 1), depth * 0.0]
        rows[1][:, 0] = depth[:, 0]
        local = [torch.cat([f, a], dim=-1) for f, a in zip(fgs1[SHARED:], airs[SHARED:])]
        design = torch.stack([r.reshape(-1) for r in rows + local])
        target = (root * visit.residual).reshape(-1)
        sd = torch.cat([torch.tensor([10.0, problem.prior.time_offset_scatter], dtype=design.dtype),
                        airs_sd.reshape(-1), fgs1_sd])
        information = design @ design.T
        information[range(2, len(rows) + len(local)), range(2, len(rows) + len(local))] += 1.0 / sd.square()
        information[0, 0] += 1.0
        information[1, 1] += 1.0
        covariance = torch.linalg.inv(information)
        levels.append((float((covariance @ (design @ target))[0]), float(covariance[0, 0])))
    if len(levels) < 2:
        return 0.0, 0.0
    gaps = [(abs(a[0] - b[0]), math.sqrt(a[1] + b[1])) for i, a in enumerate(levels) for b in levels[:i]]
    gap, sigma = max(gaps, key=lambda g: g[0] / max(g[1], 1e-12))
    return gap, gap / max(sigma, 1e-12)


def _visit_fit(number: int, result: FitResult, problem: FitProblem, curve: LightCurve, common: float) -> VisitFit:
    state, data, normal = result.state, problem.data[number], result.normal
    visit, rest = state.visits[number], normal.visits[number]
    u1, u2 = state.limb_darkening(problem.grid.x)
    airs_depth = float(state.depth[1:].median())
    b = math.sqrt(max(state.impact2, 0.0))
    duration = float(transit_duration(period_d=state.period_d, semi_major_axis=state.semi_major_axis,
                                      radius_ratio=math.sqrt(airs_depth), impact_parameter=b))
    if not math.isfinite(duration):
        duration = 2.0 * math.exp(state.log_duration)
    time = data.time
    inside = (time - visit.mid_time).abs() < 0.5 * duration
    half = 0.5 * data.exposure_h
    start, end = max(float(time[0]) - half, visit.mid_time - 0.5 * duration), min(float(time[-1]) + half,
                                                                                 visit.mid_time + 0.5 * duration)
    coverage = float(np.clip((end - start) / max(duration, 1e-6), 0.0, 1.0))

    def chi2(part: slice) -> float:
        used = rest.weight[:, part] > 0
        points = int(used.sum())
        columns = used.any(0).sum()
        freedom = max(points - 2 * int(columns) - 8, 1)
        return float((rest.weight[:, part] * rest.residual[:, part].square()).sum()) / freedom

    factor = torch.where(rest.base_weight > 0, rest.weight / rest.base_weight.clamp_min(1e-300), 1.0)
    flags = []
    before, after = int((time < visit.mid_time - 0.5 * duration).sum()), int((time > visit.mid_time + 0.5 * duration).sum())
    if coverage < 0.985:
        flags.append("incomplete transit")
    if before + after < _LITTLE_BASELINE or min(before, after) < 3:
        flags.append("little baseline")
    outliers = float((factor < 0.5).double().mean())
    run = int((factor[:, 1:].median(1).values < 0.5).sum())
    if outliers > 0.02 or run >= 3:
        flags.append("outliers")
    if data.missing > 0.02:
        flags.append("missing points")
    airs_chi2, fgs1_chi2 = chi2(slice(1, None)), chi2(slice(0, 1))
    if airs_chi2 > _POOR_CHI2 or fgs1_chi2 > 1.6:
        flags.append("poor fit")
    full = np.asarray(curve.time, dtype=np.float64)
    return VisitFit(
        visit=data.visit, time=full, exposure_h=float(curve.exposure_h), level=(visit.level * (1.0 + rest.level)).numpy(),
        airs_drift=visit.airs_drift.numpy(), fgs1_drift=visit.fgs1_drift.numpy(), drift_x=problem.grid.x.numpy(),
        depth=state.depth.numpy(), u1=u1.numpy(), u2=u2.numpy(), mid_transit_time=visit.mid_time,
        fgs1_mid_transit_time=visit.mid_time + visit.time_offset, duration_h=duration, period_d=state.period_d,
        semi_major_axis=state.semi_major_axis, impact_parameter=b, noise_scale=data.noise_scale, airs_chi2=airs_chi2,
        fgs1_chi2=fgs1_chi2, common_noise=common, n_out_of_transit=int((~inside).sum()), n_in_transit=int(inside.sum()),
        coverage=coverage, outlier_share=outliers, flags=tuple(flags))


def summarise(result: FitResult, problem: FitProblem, *, curves: Sequence[LightCurve], wavelength: np.ndarray,
              star: Mapping[str, float], orbit: CatalogueOrbit, flags: Sequence[str], names: tuple[str, ...]) -> DepthMeasurement:
    """The measurement that belongs to a converged fit."""
    state, data = result.state, problem.data
    normal = assemble(state, data, problem.grid, settings=problem.settings, robust=problem.robust, keep_columns=True)
    n_wave, n_nuisances = len(wavelength), len(names)
    per_visit = [2 + v.airs_drift.numel() + v.fgs1_drift.numel() for v in state.visits]
    score = torch.cat([normal.depth_score, normal.nuisance_score])
    common, taus = [], []
    for number, visit in enumerate(normal.visits):
        where = local_columns(visit.columns[0].shape[0], number, per_visit)
        factors, lost, tau = common_noise_factors(visit, n_wave=n_wave, n_nuisances=n_nuisances, where=where)
        score = score - lost
        common.append(factors)
        taus.append(tau)
    shared = torch.cat(common, dim=1)
    gap, gap_sigma = visit_disagreement(normal, problem, per_visit)
    curve_of = {int(c.visit): c for c in curves}
    visits = tuple(_visit_fit(k, result, problem, curve_of[d.visit], taus[k]) for k, d in enumerate(data))
    value = nuisances(state)
    mean, sd = _default_prior(problem, value)
    sigma = result.covariance.diagonal().clamp_min(0.0).sqrt()
    # a model that misses the data by more than noise knows less than its curvature says
    trust = 1.0 / max(1.0, max(v.airs_chi2 for v in visits) if "poor fit" in {f for v in visits for f in v.flags} else 1.0)
    found = _planet_flags(result, visits, orbit, gap_sigma, float(sigma[0]))
    quality = {
        "airs_chi2": max(v.airs_chi2 for v in visits), "fgs1_chi2": max(v.fgs1_chi2 for v in visits),
        "n_out_of_transit": float(sum(v.n_out_of_transit for v in visits)), "coverage": min(v.coverage for v in visits),
        "outlier_share": max(v.outlier_share for v in visits), "common_noise": max(taus),
        "fgs1_red": max(d.fgs1_red for d in data), "fgs1_scale": max(float(d.noise_scale[0]) for d in data),
        "airs_scale": max(float(np.median(d.noise_scale[1:])) for d in data),
        "log_flux": math.log(max(float(np.mean([v.level[1:].sum() for v in visits])), 1e-9)),
        "level_sigma": float(sigma[0]), "visit_gap": gap, "visit_gap_sigma": gap_sigma, "n_visits": float(len(visits)),
        "impact_parameter": visits[0].impact_parameter, "duration_h": visits[0].duration_h,
        "log_axis_shift": math.log(visits[0].semi_major_axis / orbit.semi_major_axis),
        "iterations": float(result.iterations), "converged": float(result.converged),
        "drift_size": float(max(v.airs_drift.abs().max() for v in state.visits)),
    }
    return DepthMeasurement(
        planet_id=int(curves[0].planet_id), wavelength_um=wavelength, reference_depth=state.depth.numpy(),
        nuisance_reference=value.numpy(), depth_information=(trust * normal.depth_information).numpy(),
        coupling=(trust * normal.coupling).numpy(), nuisance_information=(trust * normal.nuisance_information).numpy(),
        common=(math.sqrt(trust) * shared).numpy(), depth_score=(trust * score[:n_wave]).numpy(),
        nuisance_score=(trust * score[n_wave:]).numpy(),
        nuisance_names=names, nuisance_mean=mean.numpy(), nuisance_sd=sd.numpy(),
        orbit=orbit_point(state, problem.point).to_mapping(), visits=visits, star=dict(star), quality=quality,
        flags=tuple(flags) + found)


def _default_prior(problem: FitProblem, value: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and width (K,) of the fit's own nuisance priors, drift widths as this planet's data gave them."""
    mean, sd = value.clone(), torch.ones_like(value)
    mean[2:SHARED] = problem.limb_mean
    sd[2:SHARED] = torch.linalg.inv(problem.limb_precision).diagonal().sqrt()
    at = SHARED
    for data, (airs_sd, fgs1_sd) in zip(problem.data, problem.drift_sd):
        own = torch.cat([airs_sd.reshape(-1), fgs1_sd])
        width = data.span[1] - data.span[0]
        mean[at], sd[at] = 0.5 * (data.span[0] + data.span[1]), max(width, 1.0)
        mean[at + 1], sd[at + 1] = problem.prior.time_offset_mean, problem.prior.time_offset_scatter
        mean[at + 2: at + 2 + len(own)], sd[at + 2: at + 2 + len(own)] = 0.0, own
        at += 2 + len(own)
    return mean, sd


def _planet_flags(result: FitResult, visits: Sequence[VisitFit], orbit: CatalogueOrbit, gap_sigma: float,
                  level_sigma: float) -> tuple[str, ...]:
    flags = [f if len(visits) == 1 else f"{f} (visit {v.visit})" for v in visits for f in v.flags]
    depth = float(result.state.depth[1:].median())
    if visits[0].impact_parameter > 0.8:
        flags.append("near grazing")
    if visits[0].impact_parameter > 1.0 - _GRAZING * math.sqrt(max(depth, 0.0)):
        flags.append("grazing")
    if depth < _SHALLOW_DEPTH or depth < 15.0 * level_sigma:
        flags.append("shallow transit")
    if abs(math.log(visits[0].semi_major_axis / orbit.semi_major_axis)) > 0.2:
        flags.append("orbit far from the star table")
    if gap_sigma > _DISAGREE_SIGMA:
        flags.append("visits disagree")
    if not result.converged:
        flags.append("not converged")
    return tuple(flags)


def empty_measurement(planet_id: int, wavelength: np.ndarray, star: Mapping[str, float], point: OrbitPoint,
                      flags: tuple[str, ...]) -> DepthMeasurement:
    """A measurement that knows nothing: the anchor of such a planet is the prior."""
    n_wave, names = len(wavelength), (*ORBIT_NAMES, *LIMB_NAMES)
    n = len(names)
    return DepthMeasurement(
        planet_id=int(planet_id), wavelength_um=wavelength, reference_depth=np.full(n_wave, 0.0147),
        nuisance_reference=np.r_[point.log_duration, point.impact2, 0.48, 0.12, 0.12, 0.0, 0.13, 0.0],
        depth_information=np.full(n_wave, 1e-3), coupling=np.zeros((n_wave, n)),
        nuisance_information=np.eye(n) * 1e-6, common=np.zeros((n_wave + n, 0)), depth_score=np.zeros(n_wave),
        nuisance_score=np.zeros(n), nuisance_names=names,
        nuisance_mean=np.r_[point.log_duration, point.impact2, 0.48, 0.12, 0.12, 0.0, 0.13, 0.0],
        nuisance_sd=np.full(n, 0.1), orbit=point.to_mapping(), visits=(), star=dict(star),
        quality={"airs_chi2": 1.0, "fgs1_chi2": 1.0, "n_out_of_transit": 0.0, "coverage": 0.0, "outlier_share": 0.0,
                 "common_noise": 0.0, "fgs1_red": 1.0, "fgs1_scale": 1.0, "airs_scale": 1.0, "log_flux": 16.0, "level_sigma": 0.01, "visit_gap": 0.0, "visit_gap_sigma": 0.0, "n_visits": 0.0,
                 "impact_parameter": math.sqrt(max(point.impact2, 0.0)), "duration_h": 2.0 * math.exp(point.log_duration),
                 "log_axis_shift": 0.0, "iterations": 0.0, "converged": 0.0, "drift_size": 0.0},
        flags=flags)
