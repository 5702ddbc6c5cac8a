"""Star × transit × gain drift: the noise-free light of visits, for frames and light curves alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.eccentric_orbit import eccentric_separation
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import BIN_INDEX, by_sensor, grid_to_bins
from spectramind_kit.transit import projected_separation, spectral_transit
from spectramind_kit.transit.transit_model import DEFAULT_SUPERSAMPLE, exposure_offsets

EXPOSURE_S = by_sensor(FGS1.exposure_s, AIRS.exposure_s)  # (283,)


def star_flux(
    visits: Sequence[VisitTruth],
    time_h: np.ndarray,
    *,
    exposure_h: float,
    gain_drift: bool = True,
    grid: slice | np.ndarray = slice(None),
    device: str | torch.device = "cpu",
) -> Tensor:
    """(B, T, W) float64, e⁻/s averaged over exposures, at entries ``grid`` of the grid.

    Noise free, without foreground and pointing.
    """

    def stack(values) -> Tensor:
        return torch.as_tensor(np.array(list(values)), dtype=torch.float64, device=device)

    flux = _transit(visits, time_h, exposure_h=exposure_h, grid=grid, stack=stack)
    flux *= stack(v.level[grid] for v in visits)[:, None]
    if gain_drift:
        flux *= stack(v.drift.factor(time_h)[:, grid] * v.hidden.gain(time_h) for v in visits)
    return flux


def _transit(visits, time_h, *, exposure_h: float, grid, stack) -> Tensor:
    """(B, T, W) relative flux of the transits alone."""
    radius = stack(v.depth[grid] for v in visits).sqrt()
    u1, u2 = (stack(v.limb_darkening[k][grid] for v in visits) for k in (0, 1))
    flux, offsets = 0.0, exposure_offsets(exposure_h, DEFAULT_SUPERSAMPLE)
    for offset in offsets:
        separation = stack(_separation(v, time_h + offset) for v in visits)
        flux = flux + spectral_transit(separation, radius, u1, u2)
    flux /= len(offsets)
    for row, visit in enumerate(visits):
        if visit.hidden.in_transit:
            flux[row] += stack([_excess(visit, time_h, offsets)[:, grid]])[0]
    return flux


def _separation(visit: VisitTruth, time_h: np.ndarray) -> np.ndarray:
    """(T,) of star and planet, stellar radii."""
    planet = visit.planet
    if planet.eccentricity > 0.0:
        return eccentric_separation(time_h, planet, visit.mid_transit_time)
    return projected_separation(
        torch.as_tensor(time_h),
        mid_transit_time=visit.mid_transit_time,
        period_d=planet.period_d,
        semi_major_axis=planet.semi_major_axis,
        inclination_deg=planet.inclination_deg,
    ).numpy()


def _excess(visit: VisitTruth, time_h: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(T, 357) flux that the quadratic disk lacks, averaged over exposures."""
    radius, impact = float(np.sqrt(visit.depth[1:].mean())), visit.planet.impact_parameter
    parts = [visit.hidden.transit_excess(_separation(visit, time_h + o), radius, impact) for o in offsets]
    return np.mean(parts, axis=0)


def batch_flux(
    visits: Sequence[VisitTruth],
    time_h: np.ndarray,
    *,
    exposure_h: float,
    gain_drift: bool = True,
    device: str | torch.device = "cpu",
) -> Tensor:
    """(B, T, 283) float64: noise-free e⁻ per exposure (4.5 s and 0.1 s)."""
    options = {"exposure_h": exposure_h, "gain_drift": gain_drift, "device": device}
    return star_flux(visits, time_h, grid=BIN_INDEX, **options) * torch.as_tensor(EXPOSURE_S, device=device)


def true_light_curve(
    visit: VisitTruth, time_h: np.ndarray, *, exposure_h: float, gain_drift: bool = True
) -> np.ndarray:
    """(T, 283) noise-free electrons per exposure (4.5 s and 0.1 s), as an ideal stage 1 would deliver them.

    The whole PSF is counted; an extraction window sees 97–98 % of it.
    """
    flux = star_flux([visit], time_h, exposure_h=exposure_h, gain_drift=gain_drift)[0].numpy()
    return grid_to_bins(flux) * EXPOSURE_S
