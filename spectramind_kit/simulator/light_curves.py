"""The light-curve level: calibrated, binned light curves straight from the physics and a noise model, in
batches of visits.

The same `VisitTruth` makes frames and light curves; here the detector is replaced by what stage 1 leaves of
it: photon, read and quantisation noise, gain drift, and pointing. Cosmic rays and defects of pixels, which
stage 1 repairs, leave no trace here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.simulator.constants import AIRS, FGS1, VISIT_H
from spectramind_kit.simulator.focal_plane import AIRS_PLATE_SCALE
from spectramind_kit.simulator.noise_model import (
    Extraction,
    exposure_variance,
    exposures_per_bin,
    pointing_factor,
)
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.stars_planets import planet_generator
from spectramind_kit.simulator.visit import PURPOSE_DETECTOR, VisitTruth, draw_visits
from spectramind_kit.simulator.wavelengths import bin_wavelengths, grid_to_bins
from spectramind_kit.transit import projected_separation, spectral_transit

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_SUPERSAMPLE = 3
# noise of its own: the two levels of a planet are two realisations
_PURPOSE_LIGHT_CURVE = PURPOSE_DETECTOR + 5


@dataclass(frozen=True)
class SimulatedLightCurves:
    """A batch of visits. One row is one visit, planets in order, both visits of a planet side by side.

    ``time`` (T,) h, bin centres · ``flux``, ``flux_err`` (B, T, 283) float32 e⁻ per exposure (4.5 s; 0.1 s
    for FGS1 at index 0) · ``depth`` (B, 283) float64 labels · ``planet_id`` (B,) int64 · ``visits``: what is
    true of each row.
    """

    time: Tensor
    flux: Tensor
    flux_err: Tensor
    depth: Tensor
    planet_id: Tensor
    visits: tuple[VisitTruth, ...]
    exposure_h: float

    def __len__(self) -> int:
        return len(self.visits)

    def light_curve(self, row: int) -> LightCurve:
        """One row as stage 1 would deliver it."""
        from spectramind_kit.detector.light_curve import LightCurve

        return LightCurve(
            planet_id=int(self.planet_id[row]),
            visit=self.visits[row].visit,
            time=self.time.cpu().numpy(),
            flux=self.flux[row].cpu().numpy(),
            flux_err=self.flux_err[row].cpu().numpy(),
            wavelength_um=bin_wavelengths(),
            exposure_h=self.exposure_h,
        )


def simulate_light_curves(
    n_planets: int,
    *,
    seed: int,
    split: str = "train",
    start: int = 0,
    n_times: int = 187,
    device: str | torch.device = "cpu",
    settings: Settings = Settings(),
    noise: bool = True,
    extraction: Extraction = Extraction(),
    visits: Sequence[VisitTruth] | None = None,
) -> SimulatedLightCurves:
    """Light curves of planets ``start … start + n_planets`` of a seed.

    The planets are those that `simulate_competition` makes from the same seed, split and settings. A row
    depends neither on the batch that it is drawn in nor on the device.

    Parameters
    ----------
    n_times : int
        Bins over the visit of 7.5 h.
    noise : bool
        False gives the noise-free curves (drift included, pointing not).
    visits : sequence of VisitTruth, optional
        Draw these instead (their noise is then seeded by ``seed`` and their place in the sequence).
    """
    if n_times < 8:
        raise DataError(
            "a light curve needs at least 8 bins", where="simulate_light_curves", found=f"n_times={n_times}"
        )
    if visits is None:
        rows = [
            (k, truth)
            for k in range(start, start + n_planets)
            for truth in draw_visits(seed, split, k, settings=settings)
        ]
    else:
        rows = list(enumerate(visits, start))
    truths = tuple(truth for _, truth in rows)
    if not truths:
        raise DataError("nothing to simulate", where="simulate_light_curves", found=f"n_planets={n_planets}")
    time, exposure_h = bin_centres(n_times)
    on = settings.effects
    flux = batch_flux(truths, time, exposure_h=exposure_h, gain_drift=on.gain_drift, device=device)
    flux = flux * _tensor(extraction.captured(), device)
    variance = _bin_variance(truths, flux, exposure_h, extraction, settings)
    if noise:
        draws, pointing = _draw_noise(
            [(planet_generator(seed, split, k, purpose=_PURPOSE_LIGHT_CURVE + t.visit)) for k, t in rows],
            n_times,
            device,
        )
        if on.jitter:
            _add_pointing(flux, truths, pointing, exposure_h, extraction, device)
        flux = flux + draws * variance.sqrt()
    return SimulatedLightCurves(
        time=_tensor(time, device),
        flux=flux.float(),
        flux_err=variance.sqrt().float(),
        depth=_tensor(np.stack([t.label for t in truths]), device),
        planet_id=torch.as_tensor([t.planet.planet_id for t in truths]),
        visits=truths,
        exposure_h=exposure_h,
    )


def bin_centres(n_times: int) -> tuple[np.ndarray, float]:
    """(T,) centres and the width, hours, of equal parts of a visit."""
    return (np.arange(n_times) + 0.5) * VISIT_H / n_times, VISIT_H / n_times


def batch_flux(
    visits: Sequence[VisitTruth],
    time_h: np.ndarray,
    *,
    exposure_h: float,
    gain_drift: bool = True,
    device: str | torch.device = "cpu",
) -> Tensor:
    """(B, T, 283) float64: noise-free e⁻ per exposure, star × drift × transit."""

    def stack(values) -> Tensor:
        return _tensor(np.stack([grid_to_bins(value) for value in values]), device)

    def column(values) -> Tensor:
        return _tensor(np.array(list(values), float)[:, None], device)

    radius = stack(v.depth for v in visits).sqrt()
    u1, u2 = (stack(v.limb_darkening[k] for v in visits) for k in (0, 1))
    orbit = {
        "mid_transit_time": column(v.mid_transit_time for v in visits),
        "period_d": column(v.planet.period_d for v in visits),
        "semi_major_axis": column(v.planet.semi_major_axis for v in visits),
        "inclination_deg": column(v.planet.inclination_deg for v in visits),
    }
    times = _tensor(np.asarray(time_h, float), device)[None]
    flux = None
    for offset in ((np.arange(_SUPERSAMPLE) + 0.5) / _SUPERSAMPLE - 0.5) * exposure_h:
        part = spectral_transit(projected_separation(times + float(offset), **orbit), radius, u1, u2)
        flux = part if flux is None else flux.add_(part)
    exposure_s = np.concatenate([[FGS1.exposure_s], np.full(282, AIRS.exposure_s)]) / _SUPERSAMPLE
    flux *= stack(v.level for v in visits)[:, None] * _tensor(exposure_s, device)
    if gain_drift:
        course = _tensor(np.stack([v.drift.time_course(np.asarray(time_h)) for v in visits]), device)
        flux *= 1.0 + course[:, :, None] * stack(v.drift.wavelength_response for v in visits)[:, None]
    return flux


def _bin_variance(
    visits, flux: Tensor, exposure_h: float, extraction: Extraction, settings: Settings
) -> Tensor:
    """(B, T, 283) variance of the mean over a bin."""
    photons, constant = zip(
        *(exposure_variance(v, extraction=extraction, adc_gain=settings.adc_gain) for v in visits),
        strict=True,
    )
    on = settings.effects
    variance = torch.zeros_like(flux)
    if on.shot_noise:
        variance += _tensor(np.stack(photons), flux.device)[:, None] * flux
    if on.read_noise:
        variance += _tensor(np.stack(constant), flux.device)[:, None]
    return variance / _tensor(exposures_per_bin(exposure_h), flux.device)


def _draw_noise(generators, n_times: int, device) -> tuple[Tensor, Tensor]:
    """White noise (B, T, 283) and (B, 4, T) for the pointing, each row from its own generator."""
    draws = np.stack([g.standard_normal((n_times, 287), dtype=np.float32) for g in generators])
    whole = torch.as_tensor(draws, device=device)
    return whole[..., :283].double(), whole[..., 283:].double().transpose(1, 2)


@lru_cache(maxsize=4)
def _pointing_factor(n_times: int, exposure_h: float) -> np.ndarray:
    return pointing_factor(n_times, exposure_h)


def _add_pointing(
    flux: Tensor, visits, white: Tensor, exposure_h: float, extraction: Extraction, device
) -> None:
    """Bin means of the pointing act on AIRS as a shift of the spectrum, and on FGS1 unless stage 1 has
    regressed it out."""
    factor = _tensor(_pointing_factor(flux.shape[1], exposure_h), device)
    amplitude = _tensor(np.array([v.jitter_amplitude for v in visits]), device)[:, None]
    x, y = ((white[:, k] @ factor[0].T) * amplitude for k in (0, 1))
    slope = _tensor(
        np.stack([grid_to_bins(np.concatenate([[0.0], np.gradient(v.level[1:])])) for v in visits]), device
    )
    relative = slope / _tensor(np.stack([grid_to_bins(v.level) for v in visits]), device)
    if not extraction.remove_jitter:
        xx, yy = ((white[:, k] @ factor[1].T) * amplitude**2 for k in (2, 3))
        r = [v.response for v in visits]
        terms = zip(
            (x, y, xx, yy),
            ([p.x for p in r], [p.y for p in r], [p.xx for p in r], [p.yy for p in r]),
            strict=True,
        )
        flux[..., 0] *= 1.0 + sum(part * _tensor(np.array(size)[:, None], device) for part, size in terms)
        flux[..., 1:] *= 1.0 - AIRS_PLATE_SCALE * x[..., None] * relative[:, None, 1:]


def _tensor(values: np.ndarray, device) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64, device=device)
