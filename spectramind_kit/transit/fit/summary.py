"""From a converged fit to a `DepthMeasurement`: what it knows, how well, and what is odd about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit import flags
from spectramind_kit.transit.fit.correlated_noise import common_noise
from spectramind_kit.transit.fit.first_states import default_limb
from spectramind_kit.transit.fit.flagging import planet_flags
from spectramind_kit.transit.fit.misfit import visit_disagreement
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import FitProblem, FitResult
from spectramind_kit.transit.fit.steps import own_priors
from spectramind_kit.transit.fit.visit_summary import summarise_visit
from spectramind_kit.transit.flags import Quality
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.parameters import AIRS, SHARED, SHARED_NAMES, nuisances, visit_names
from spectramind_kit.transit.likelihood.planet_batch import take, to_device
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_DEPTH = 0.0147  # of the competition's planets; the prior replaces it
_INFORMATION, _NUISANCE_INFORMATION = 1e-3, 1e-6  # none, but positive


def summarise(
    problem: FitProblem, result: FitResult, k: int, case: PlanetCase, chi2: Tensor
) -> DepthMeasurement:
    """The measurement that belongs to the converged fit of planet ``k`` of a batch, ``case``.

    chi2 (V, 2): of AIRS-CH0 and FGS1 in each visit, before `misfit.trusted_weights`.
    """
    one = take(result, [k])
    row, grid = to_device(take(one, 0), "cpu"), to_device(problem.grid, "cpu")
    state, normal, n_wave = row.state, row.normal, len(row.state.depth)
    noise = common_noise(problem, one)
    score = torch.cat([normal.depth_score, normal.nuisance_score]) - noise.score_loss
    mean, sd = (value[0].cpu() for value in _default_prior(problem, one))
    curves = {int(c.visit): c for c in case.curves}
    curves = [curves[data.visit] for data in case.visits]
    fits = tuple(
        summarise_visit(v, row, grid, data, curve, common_noise=noise.rms[v], chi2=chi2[v])
        for v, (data, curve) in enumerate(zip(case.visits, curves))
    )
    gap = visit_disagreement(normal.visits, sd[SHARED:].unflatten(0, (len(fits), -1)))
    quality = _quality(row, fits, case, curves, gap=gap)
    depth = float(state.depth[AIRS].median())
    return DepthMeasurement(
        planet_id=int(case.curves[0].planet_id),
        wavelength_um=grid.wavelength_um.numpy(),
        reference_depth=state.depth.numpy(),
        nuisance_reference=nuisances(state).numpy(),
        depth_information=normal.depth_information.numpy(),
        coupling=normal.coupling.numpy(),
        nuisance_information=normal.nuisance_information.numpy(),
        common_noise=noise.factor.numpy(),
        depth_score=score[:n_wave].numpy(),
        nuisance_score=score[n_wave:].numpy(),
        nuisance_names=_nuisance_names(row, fits),
        nuisance_mean=mean.numpy(),
        nuisance_sd=sd.numpy(),
        orbit=row.planets.point.at(state).to_mapping(),
        visits=fits,
        star=dict(case.star),
        quality=asdict(quality),
        flags=case.flags + planet_flags(fits, quality, depth=depth),
    )


def _quality(
    row: FitResult,
    fits: Sequence[VisitFit],
    case: PlanetCase,
    curves: Sequence[LightCurve],
    *,
    gap: tuple[float, float],
) -> Quality:
    """``curves``: of the visits in ``fits``; ``gap``: see `misfit.visit_disagreement`."""
    return Quality(
        airs_chi2=max(f.airs_chi2 for f in fits),
        fgs1_chi2=max(f.fgs1_chi2 for f in fits),
        n_out_of_transit=float(sum(f.n_out_of_transit for f in fits)),
        coverage=min(f.coverage for f in fits),
        outlier_share=max(f.outlier_share for f in fits),
        common_noise=max(f.common_noise for f in fits),
        frames_lost=min(_frames_lost(curve) for curve in curves),
        fgs1_red=max(data.fgs1_red for data in case.visits),
        fgs1_scale=max(float(data.noise_scale[0]) for data in case.visits),
        airs_scale=max(float(np.median(data.noise_scale[1:])) for data in case.visits),
        log_flux=math.log(max(float(np.mean([f.level[1:].sum() for f in fits])), 1e-9)),
        level_sigma=math.sqrt(max(float(row.covariance[0, 0]), 0.0)),
        visit_gap=gap[0],
        visit_gap_sigma=gap[1],
        n_visits=float(len(fits)),
        impact_parameter=fits[0].impact_parameter,
        duration_h=fits[0].duration_h,
        log_axis_shift=math.log(fits[0].semi_major_axis / case.orbit.semi_major_axis),
        iterations=float(row.steps),
        converged=float(row.converged),
        drift_size=float(row.state.airs_drift.abs().max()),
    )


def _frames_lost(curve: LightCurve) -> float:
    """Largest share of a sensor's frames that have a time stamp but are not there, as stage 1 noted it."""
    return max(float(curve.info.get(f"{sensor}_frames_lost", 0.0)) for sensor in ("airs", "fgs1"))


def _nuisance_names(row: FitResult, fits: Sequence[VisitFit]) -> tuple[str, ...]:
    _, airs_degree, lambda_terms = row.state.airs_drift.shape
    sizes = dict(
        airs_degree=airs_degree, lambda_terms=lambda_terms, fgs1_degree=row.state.fgs1_drift.shape[1]
    )
    return (*SHARED_NAMES, *(name for fit in fits for name in visit_names(fit.visit, **sizes)))


def _default_prior(problem: FitProblem, result: FitResult) -> tuple[Tensor, Tensor]:
    """Mean and width (N, K) of the fit's own nuisance priors, drift widths as the planets' data gave them."""
    planets, state = result.planets, result.state
    orbit = torch.stack([state.log_duration, state.impact2], dim=1)
    own_mean, own_sd = own_priors(planets, problem.prior)
    limb_sd = torch.linalg.inv(planets.limb_precision).diagonal(dim1=1, dim2=2).sqrt()
    return (
        torch.cat([orbit, planets.limb_mean, own_mean], dim=1),
        torch.cat([torch.ones_like(orbit), limb_sd, own_sd], dim=1),
    )


def no_information(case: PlanetCase, error: Exception | None = None) -> DepthMeasurement:
    """A measurement that knows nothing, so that the anchor is the prior. ``error``: what broke the fit."""
    n_wave, point = len(case.wavelength), case.orbit.point
    reference = np.r_[point["log_duration"], point["impact2"], default_limb(AnchorSettings())[0]]
    quality = Quality(
        impact_parameter=math.sqrt(point["impact2"]), duration_h=2.0 * math.exp(point["log_duration"])
    )
    failed = [] if error is None else [flags.fit_failed(error)]
    return DepthMeasurement(
        planet_id=int(case.curves[0].planet_id),
        wavelength_um=case.wavelength,
        reference_depth=np.full(n_wave, _DEPTH),
        nuisance_reference=reference,
        depth_information=np.full(n_wave, _INFORMATION),
        coupling=np.zeros((n_wave, SHARED)),
        nuisance_information=np.eye(SHARED) * _NUISANCE_INFORMATION,
        common_noise=np.zeros((n_wave + SHARED, 0)),
        depth_score=np.zeros(n_wave),
        nuisance_score=np.zeros(SHARED),
        nuisance_names=SHARED_NAMES,
        nuisance_mean=reference,
        nuisance_sd=np.full(SHARED, 0.1),
        orbit=point,
        visits=(),
        star=dict(case.star),
        quality=asdict(quality),
        flags=(*case.flags, *failed, flags.NO_INFORMATION),
    )
