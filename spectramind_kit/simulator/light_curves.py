"""The light-curve level: calibrated, binned light curves in batches, from the physics and a noise model.

The same `VisitTruth` makes frames and light curves; here the detector is replaced by what stage 1 leaves of
it: photon, read and quantisation noise, and gain drift. Cosmic rays, defects of pixels and pointing, which
stage 1 takes out, leave no trace here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.errors import DataError
from spectramind_kit.simulator.constants import VISIT_H
from spectramind_kit.simulator.noise_model import captured, constant_variance, exposures_per_bin
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.star_flux import batch_flux
from spectramind_kit.simulator.streams import LIGHT_CURVE, planet_generator
from spectramind_kit.simulator.visit import VisitTruth, draw_visits
from spectramind_kit.simulator.wavelengths import bin_wavelengths

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

_DRAWS = 287  # normal numbers per time; four more than are used, so that a seed's noise stays what it was


@dataclass(frozen=True)
class SimulatedLightCurves:
    """A batch of visits. One row is one visit, planets in order, both visits of a planet side by side."""

    time: Tensor  # (T,) h, bin centres
    flux: Tensor  # (B, T, 283) float32 e⁻ per exposure: 4.5 s, and 0.1 s for FGS1 at index 0
    flux_err: Tensor  # (B, T, 283) float32
    depth: Tensor  # (B, 283) float64 labels
    planet_id: Tensor  # (B,) int64
    visits: tuple[VisitTruth, ...]  # what is true of each row
    exposure_h: float  # bin width

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

    def planets(self) -> Iterator[SimulatedPlanet]:
        """The rows by planet, in order."""
        ids = self.planet_id.tolist()
        for planet_id in dict.fromkeys(ids):
            rows = [row for row, own in enumerate(ids) if own == planet_id]
            visits = [self.visits[row] for row in rows]
            curves = [self.light_curve(row) for row in rows]
            label = self.depth[rows[0]].cpu().numpy()
            yield SimulatedPlanet(planet_id, curves, visits[0].planet.catalogue_row(), label, visits)


@dataclass(frozen=True)
class SimulatedPlanet:
    """All that is seen of a planet, and what is true of it."""

    planet_id: int
    curves: list[LightCurve]  # one per visit
    star: dict[str, float]  # its row of the star table
    label: np.ndarray  # (283,)
    visits: list[VisitTruth]


def simulate_light_curves(
    n_planets: int,
    *,
    seed: int,
    split: str = "train",
    start: int = 0,
    n_times: int = 187,
    noise: bool = True,
    device: str | torch.device = "cpu",
    settings: Settings = Settings(),
) -> SimulatedLightCurves:
    """Light curves of planets ``start … start + n_planets`` of a seed, in ``n_times`` bins over the 7.5 h.

    The planets are those that `simulate_competition` makes from the same seed, split and settings. A row
    depends neither on the batch that it is drawn in nor on the device. ``noise=False`` gives the noise-free
    curves, drift included.
    """
    truths, streams = [], []
    for index in range(start, start + n_planets):
        for truth in draw_visits(seed, split, index, settings=settings):
            truths.append(truth)
            streams.append(planet_generator(seed, split, index, purpose=LIGHT_CURVE + truth.visit))
    if not truths:
        raise DataError("nothing to simulate", where="simulate_light_curves", found=f"n_planets={n_planets}")
    return _observe(truths, streams if noise else None, n_times=n_times, device=device, settings=settings)


def light_curves_of(
    visits: Sequence[VisitTruth],
    *,
    seed: int,
    start: int = 0,
    n_times: int = 187,
    settings: Settings = Settings(),
) -> SimulatedLightCurves:
    """Light curves of these visits. Visit k of them has the noise of ``seed`` and ``start`` + k."""
    streams = [
        planet_generator(seed, "train", index, purpose=LIGHT_CURVE + truth.visit)
        for index, truth in enumerate(visits, start)
    ]
    return _observe(visits, streams, n_times=n_times, device="cpu", settings=settings)


def _observe(
    visits: Sequence[VisitTruth], streams, *, n_times: int, device, settings: Settings
) -> SimulatedLightCurves:
    """With noise from one random stream per visit, or without any."""
    if n_times < 8:
        found = f"n_times={n_times}"
        raise DataError("a light curve needs at least 8 bins", where="simulate_light_curves", found=found)
    time, exposure_h = bin_centres(n_times)
    on = settings.effects
    flux = batch_flux(visits, time, exposure_h=exposure_h, gain_drift=on.gain_drift, device=device)
    flux *= _tensor(np.stack([captured(v.optics) for v in visits]), device)[:, None]
    variance = flux.clone() if on.shot_noise else torch.zeros_like(flux)
    if on.read_noise:
        constant = np.stack([constant_variance(v, adc_gain=settings.adc_gain) for v in visits])
        variance += _tensor(constant, device)[:, None]
    sigma = (variance / _tensor(exposures_per_bin(exposure_h), device)).sqrt()
    if streams is not None:
        draws = np.stack([s.standard_normal((n_times, _DRAWS), dtype=np.float32) for s in streams])
        flux += _tensor(draws[..., :N_BINS], device) * sigma
    return SimulatedLightCurves(
        time=_tensor(time, device),
        flux=flux.float(),
        flux_err=sigma.float(),
        depth=_tensor(np.stack([v.label for v in visits]), device),
        planet_id=torch.as_tensor([v.planet.planet_id for v in visits]),
        visits=tuple(visits),
        exposure_h=exposure_h,
    )


def bin_centres(n_times: int) -> tuple[np.ndarray, float]:
    """(T,) centres and the width, hours, of equal parts of a visit."""
    return (np.arange(n_times) + 0.5) * VISIT_H / n_times, VISIT_H / n_times


def _tensor(values: np.ndarray, device) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64, device=device)
