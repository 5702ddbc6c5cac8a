"""From a converged fit to the `VisitFit` of each visit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.fit.flagging import outlier_share, visit_flags
from spectramind_kit.transit.fit.problem import FitResult
from spectramind_kit.transit.likelihood.parameters import AIRS, Grid, PlanetState
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.orbit import transit_duration

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


def summarise_visit(
    v: int,
    row: FitResult,
    grid: Grid,
    data: VisitData,
    curve: LightCurve,
    *,
    common_noise: float,
    chi2: Tensor,
) -> VisitFit:
    """Visit ``v`` of the planet ``row``, a result without its batch axis, in the processor's memory.

    chi2 (2,): of AIRS-CH0 and FGS1.
    """
    state, normal, n = row.state, row.normal, len(data.time)
    weight, base_weight = (value[v, :, :n] for value in (normal.weight, normal.base_weight))
    robust = torch.where(base_weight > 0, weight / base_weight.clamp_min(1e-300), 1.0)
    seen = (weight > 0).any(0)
    mid_time, duration = float(state.mid_time[v]), _duration(state)
    n_inside = int((seen & ((data.time - mid_time).abs() < 0.5 * duration)).sum())
    u1, u2 = state.limb_darkening(grid)
    airs_chi2, fgs1_chi2 = chi2.tolist()
    fit = VisitFit(
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
        period_d=float(state.period_d),
        semi_major_axis=float(state.semi_major_axis),
        impact_parameter=float(state.impact2.clamp_min(0.0).sqrt()),
        noise_scale=data.noise_scale,
        airs_chi2=airs_chi2,
        fgs1_chi2=fgs1_chi2,
        common_noise=common_noise,
        slow_noise=common_noise / _white_error(weight, seen),
        n_out_of_transit=int(seen.sum()) - n_inside,
        n_in_transit=n_inside,
        coverage=_coverage(data, mid_time, duration),
        outlier_share=outlier_share(robust),
    )
    return replace(fit, flags=visit_flags(fit, data, weight, robust))


def _duration(state: PlanetState) -> float:
    """T14 at AIRS-CH0's median depth, h; the fit's own where that planet would not touch its star."""
    duration = transit_duration(
        period_d=state.period_d,
        semi_major_axis=state.semi_major_axis,
        radius_ratio=state.depth[AIRS].median().sqrt(),
        impact_parameter=state.impact2.clamp_min(0.0).sqrt(),
    )
    return float(torch.where(duration.isfinite(), duration, 2.0 * state.log_duration.exp()))


def _coverage(data: VisitData, mid_time: float, duration: float) -> float:
    """Share of T14 between the first and the last exposure."""
    half_exposure, half = 0.5 * data.exposure_h, 0.5 * duration
    start = max(float(data.time[0]) - half_exposure, mid_time - half)
    end = min(float(data.time[-1]) + half_exposure, mid_time + half)
    return float(np.clip((end - start) / max(duration, 1e-6), 0.0, 1.0))


def _white_error(weight: Tensor, seen: Tensor) -> float:
    """Error of a typical bin of AIRS-CH0's white light curve, relative flux."""
    if not bool((weight[AIRS] > 0).any()):
        return math.inf
    return math.sqrt(float((1.0 / weight[AIRS].sum(0).clamp_min(1e-300))[seen].median()))
