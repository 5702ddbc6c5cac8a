"""Transit light curves: orbit + limb darkening + smearing by the exposure."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.transit.limb_darkening import (
    as_double,
    limb_darkening_weights,
    overlap_integrals,
    transit_flux,
)
from spectramind_kit.transit.orbit import projected_separation

DEFAULT_SUPERSAMPLE = 3


def exposure_offsets(exposure_h: float, supersample: int) -> np.ndarray:
    """Mid-points, h from the centre, of ``supersample`` equal parts of an exposure."""
    if supersample < 1:
        raise DataError(
            "an exposure needs at least one sample",
            where="light_curve_model",
            found=f"supersample={supersample}",
            fix="use supersample >= 1",
        )
    return (np.arange(supersample) + 0.5 - 0.5 * supersample) / supersample * exposure_h


def light_curve_model(
    time_h: Tensor | np.ndarray,
    *,
    mid_transit_time: Tensor | float,
    period_d: Tensor | float,
    semi_major_axis: Tensor | float,
    radius_ratio: Tensor | float,
    u1: Tensor | float,
    u2: Tensor | float,
    inclination_deg: Tensor | float | None = None,
    impact_parameter: Tensor | float | None = None,
    exposure_h: float = 0.0,
    supersample: int = DEFAULT_SUPERSAMPLE,
) -> Tensor:
    """Relative flux of a transit, float64, differentiable in every argument but the time grid's length.

    Parameters
    ----------
    time_h : (..., T)
        Bin centres, h from the start of the visit.
    mid_transit_time, period_d, semi_major_axis, inclination_deg | impact_parameter, radius_ratio, u1, u2
        Scalars or batches (...) that broadcast against the leading axes of ``time_h``: shape (B,) gives (B,
        T), shape (B, W) gives (B, W, T). Hours, days, a/Rs, degrees; give the inclination or the impact
        parameter.
    exposure_h : float
        Bin width, h; the flux is averaged over it in ``supersample`` parts (0: instantaneous).

    Returns
    -------
    Tensor (..., T)
    """
    time_h = as_double(time_h)
    batch = [
        None if value is None else as_double(value, time_h).unsqueeze(-1)
        for value in (
            mid_transit_time,
            period_d,
            semi_major_axis,
            inclination_deg,
            impact_parameter,
            radius_ratio,
            u1,
            u2,
        )
    ]
    t0, period, a, inclination, impact, r, u1, u2 = batch
    offsets = exposure_offsets(exposure_h, supersample) if exposure_h > 0.0 else np.zeros(1)
    flux = None
    for offset in offsets:
        z = projected_separation(
            time_h + float(offset),
            mid_transit_time=t0,
            period_d=period,
            semi_major_axis=a,
            inclination_deg=inclination,
            impact_parameter=impact,
        )
        part = transit_flux(z, r, u1, u2)
        flux = part if flux is None else flux + part
    return flux / len(offsets)


def spectral_transit(
    separation: Tensor, radius_ratio: Tensor, u1: Tensor, u2: Tensor, *, degree: int = 3
) -> Tensor:
    """Flux (B, T, W) of one geometry in many wavelengths, by interpolation in the radius ratio.

    The integrals are made at ``degree + 1`` Chebyshev nodes between the smallest and the largest radius of
    each row and interpolated: 70 times less work than `transit_flux` at every wavelength, with an error below
    0.5 ppm (at the contacts) for spectra that vary by a few per cent (tests). No gradient; use `transit_flux`
    where one is needed.

    Parameters
    ----------
    separation : (B, T)
    radius_ratio, u1, u2 : (B, W)
    """
    with torch.no_grad():
        z, r = as_double(separation), as_double(radius_ratio)
        weights = limb_darkening_weights(as_double(u1, r), as_double(u2, r))  # (B, W, 3)
        low, high = r.amin(-1, keepdim=True), r.amax(-1, keepdim=True)
        half, mid = (0.5 * (high - low)).clamp_min(1e-9), 0.5 * (high + low)
        nodes = torch.cos(
            torch.pi * (torch.arange(degree + 1, dtype=r.dtype, device=r.device) + 0.5) / (degree + 1)
        )
        area = overlap_integrals(z[:, None, :], (mid + half * nodes)[:, :, None]).area  # (B, J, T, 3)
        lagrange = _lagrange((r - mid) / half, nodes)  # (B, W, J)
        combined = lagrange[..., None] * weights[:, :, None, :]  # (B, W, J, 3)
        batch, n_times = z.shape
        left = area.permute(0, 2, 1, 3).reshape(batch, n_times, -1)  # (B, T, 3J)
        return 1.0 - left @ combined.reshape(batch, r.shape[1], -1).transpose(1, 2)


def _lagrange(x: Tensor, nodes: Tensor) -> Tensor:
    """Lagrange basis (..., J) at ``x`` for the given nodes (J,)."""
    factors = []
    for j in range(len(nodes)):
        others = torch.cat([nodes[:j], nodes[j + 1 :]])
        factors.append(((x[..., None] - others) / (nodes[j] - others)).prod(-1))
    return torch.stack(factors, dim=-1)
