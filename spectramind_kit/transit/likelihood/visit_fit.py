"""The fitted light curve of one visit, and what it says at any spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.linear_model import SensorView, transit_parts
from spectramind_kit.transit.likelihood.parameters import DEPTH_FLOOR, SENSORS, legendre, time_basis
from spectramind_kit.transit.limb_darkening import as_double
from spectramind_kit.transit.orbit import half_duration
from spectramind_kit.transit.orbit_coordinates import OrbitCoordinates
from spectramind_kit.transit.transit_model import DEFAULT_NODES, DEFAULT_SUPERSAMPLE


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
    noise_scale: np.ndarray  # (W,) scatter in units of flux_err
    airs_chi2: float  # per degree of freedom
    fgs1_chi2: float
    common_noise: float  # rms of the noise that all AIRS wavelengths have in common, relative flux per bin
    slow_noise: float  # the same over the error of a bin of the white light curve
    n_out_of_transit: int  # times
    n_in_transit: int
    coverage: float  # share of T14 that was observed
    outlier_share: float  # share of points that count less than half
    flags: tuple[str, ...] = ()

    def transit(self, depth: np.ndarray | None = None) -> np.ndarray:
        """Relative flux (T, W) of the transit alone, for the reference spectrum or another one."""
        spectrum = as_double(self.depth if depth is None else depth)[None]
        orbit = self._orbit(spectrum)
        time, exposure_h = as_double(self.time)[None, None], as_double([[self.exposure_h]])
        how = dict(supersample=DEFAULT_SUPERSAMPLE, nodes=DEFAULT_NODES)
        columns = []
        for part, mid_time in zip(SENSORS, (self.fgs1_mid_transit_time, self.mid_transit_time)):
            u1, u2 = (as_double(u[part])[None] for u in (self.u1, self.u2))
            view = SensorView(as_double([[mid_time]]), spectrum[:, part], u1, u2)
            columns.append(transit_parts(orbit, view, time, exposure_h, **how).flux[0, 0].T)
        return torch.cat(columns, dim=1).numpy()

    def _orbit(self, spectrum: Tensor) -> OrbitCoordinates:
        """Written for the median radius of ``spectrum`` (1, W)."""
        axis, period, b = (
            as_double([v]) for v in (self.semi_major_axis, self.period_d, self.impact_parameter)
        )
        reach = torch.maximum(1.0 + spectrum.median(1).values.clamp_min(DEPTH_FLOOR).sqrt(), b + 1e-3)
        width = half_duration(period_d=period, semi_major_axis=axis, impact2=b.square(), reach=reach)
        return OrbitCoordinates(period, reach, width.log(), b.square())

    @property
    def baseline_flux(self) -> np.ndarray:
        """star * drift without the transit, (T, W), e- per exposure."""
        time, airs, fgs1, x = (
            as_double(v) for v in (self.time, self.airs_drift, self.fgs1_drift, self.drift_x)
        )
        span = dict(start=float(time[0]), end=float(time[-1]))
        airs_part = time_basis(time, len(airs), **span).T @ (airs @ legendre(x, airs.shape[1] - 1))
        fgs1_part = (time_basis(time, len(fgs1), **span).T @ fgs1)[:, None]
        return self.level * (1.0 + torch.cat([fgs1_part, airs_part], dim=1)).numpy()

    @property
    def model_flux(self) -> np.ndarray:
        """star * drift * transit, (T, W), e- per exposure."""
        return self.baseline_flux * self.transit()

    @property
    def transit_shape(self) -> np.ndarray:
        """(relative flux - 1) / depth of the white transit in AIRS-CH0 and FGS1, (T, 2): mostly -1 … 0."""
        shape = (self.transit() - 1.0) / np.maximum(np.abs(self.depth), 1e-6)
        return np.stack([shape[:, 1:].mean(-1), shape[:, 0]], axis=-1)
