"""The fitted light curve of one visit, and what it says at any spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.linear_model import half_duration, transit_parts
from spectramind_kit.transit.likelihood.parameters import DEPTH_FLOOR, PlanetState, legendre, time_basis


@dataclass(frozen=True)
class VisitFit:
    """The fitted light curve of one visit; arrays are float64, W = 283 with FGS1 first."""

    visit: int
    time: np.ndarray  # (T,) h, bin centres of the light curve as it was given
    exposure_h: float
    level: np.ndarray  # (W,) flux of the star without drift and transit, e- per exposure
    airs_drift: np.ndarray  # (degree t, degree lambda + 1) coefficients of P_a(t) P_b(lambda)
    fgs1_drift: np.ndarray  # (degree t,)
    drift_x: np.ndarray  # (W - 1,) wavelength scaled to [-1, 1], the argument of P_b
    depth: np.ndarray  # (W,) reference spectrum
    u1: np.ndarray  # (W,)
    u2: np.ndarray  # (W,)
    mid_transit_time: float  # h, AIRS-CH0
    fgs1_mid_transit_time: float  # h
    duration_h: float  # T14
    period_d: float
    semi_major_axis: float  # a/Rs
    impact_parameter: float
    noise_scale: np.ndarray  # (W,) measured scatter in units of flux_err
    airs_chi2: float  # per degree of freedom
    fgs1_chi2: float
    common_noise: float  # rms of the noise that all AIRS wavelengths share, relative flux per bin
    slow_noise: float  # the same over the error of a bin of the white light curve
    n_out_of_transit: int
    n_in_transit: int
    coverage: float  # share of T14 that was observed
    outlier_share: float  # share of points that count less than half
    flags: tuple[str, ...] = ()

    def transit(self, depth: np.ndarray | None = None) -> np.ndarray:
        """Relative flux (T, 283) of the transit alone, for the reference spectrum or another one."""
        return visit_transit(self, self.depth if depth is None else depth)

    @property
    def baseline_flux(self) -> np.ndarray:
        """star * drift without the transit, (T, 283), e- per exposure."""
        return self.level * visit_drift(self)

    @property
    def model_flux(self) -> np.ndarray:
        """star * drift * transit, (T, 283), e- per exposure."""
        return self.baseline_flux * self.transit()

    @property
    def transit_shape(self) -> np.ndarray:
        """(relative flux - 1) / depth of the white transit in AIRS-CH0 and FGS1, (T, 2), mostly in [-1,
        0]."""
        relative, depth = self.transit(), np.maximum(np.abs(self.depth), 1e-6)
        shape = (relative - 1.0) / depth
        return np.stack([shape[:, 1:].mean(-1), shape[:, 0]], axis=-1)


def visit_transit(fit: VisitFit, depth: np.ndarray, *, supersample: int = 3, nodes: int = 4) -> np.ndarray:
    """Relative transit flux (T, W) of a fitted visit for the spectrum ``depth`` (W,)."""

    def row(value) -> Tensor:
        return torch.as_tensor(np.asarray(value, dtype=np.float64))[None]

    time, u1, u2, spectrum = row(fit.time)[:, None], row(fit.u1), row(fit.u2), row(depth)
    axis, b2, period = row(fit.semi_major_axis), row(fit.impact_parameter**2), row(fit.period_d)
    reach = torch.maximum(1.0 + spectrum.median(1).values.clamp_min(DEPTH_FLOOR).sqrt(), b2.sqrt() + 1e-3)
    width = half_duration(period_d=period, semi_major_axis=axis, impact2=b2, reach=reach)
    empty = torch.zeros(1, 1, dtype=torch.float64)
    state = PlanetState(
        period_d=period,
        reach=reach,
        log_duration=torch.log(width),
        impact2=b2,
        limb=empty,
        depth=spectrum,
        mid_time=empty,
        time_offset=empty,
        airs_drift=empty,
        fgs1_drift=empty,
    )
    exposure, columns = row([fit.exposure_h]), []
    for part, mid_time in ((slice(0, 1), fit.fgs1_mid_transit_time), (slice(1, None), fit.mid_transit_time)):
        parts = transit_parts(
            state,
            time,
            mid_time=row([mid_time]),
            depth=spectrum[:, part],
            u1=u1[:, part],
            u2=u2[:, part],
            exposure_h=exposure,
            supersample=supersample,
            nodes=nodes,
        )
        columns.append(parts.flux[0, 0].T)
    return torch.cat(columns, dim=1).numpy()


def visit_drift(fit: VisitFit) -> np.ndarray:
    """Drift (T, W) of a fitted visit, relative to the star's level."""
    time = torch.as_tensor(np.asarray(fit.time, dtype=np.float64))
    airs, fgs1, x = (torch.as_tensor(v) for v in (fit.airs_drift, fit.fgs1_drift, fit.drift_x))
    span = dict(start=float(time[0]), end=float(time[-1]))
    airs_part = 1.0 + time_basis(time, len(airs), **span).T @ (airs @ legendre(x, airs.shape[1] - 1))
    fgs1_part = 1.0 + (time_basis(time, len(fgs1), **span).T @ fgs1)[:, None]
    return torch.cat([fgs1_part, airs_part], dim=1).numpy()
