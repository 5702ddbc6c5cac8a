"""Everything that is true of one visit before a detector sees it, and its noise-free light curves.

Both levels start here: the frames and the direct light curves take the same `VisitTruth`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1, planck_photons
from spectramind_kit.simulator.contamination import Contamination, draw_contamination
from spectramind_kit.simulator.drift import Drift, draw_drift
from spectramind_kit.simulator.focal_plane import airs_levels, throughput
from spectramind_kit.simulator.limb_darkening_law import limb_darkening_coefficients
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.spectra import Atmosphere, draw_spectrum
from spectramind_kit.simulator.stars_planets import Planet, draw_planet, planet_generator
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths

# Streams of a planet's generator: physics of the planet, then of each visit, then detector noise of each
# visit.
PURPOSE_SPECTRUM, PURPOSE_VISIT, PURPOSE_DETECTOR, PURPOSE_MAPS = 1, 10, 20, 30


@dataclass(frozen=True)
class PixelResponse:
    """FGS1's total response to pointing: relative flux per px (x, y) and per px² ; within-pixel structure
    that no flat removes."""

    x: float
    y: float
    xx: float
    yy: float


@dataclass(frozen=True)
class VisitTruth:
    """One visit. Arrays named ``grid`` are on `grid_wavelengths` (357,): FGS1, then AIRS columns in detector
    order.

    ``level`` e⁻/s per grid entry out of transit; ``foreground`` e⁻/s per pixel of each grid entry; ``label``
    (283,) the planet's spectrum; ``depth`` (357,) what this visit really shows (label × contamination).
    """

    planet: Planet
    atmosphere: Atmosphere
    visit: int
    label: np.ndarray
    depth: np.ndarray
    limb_darkening: tuple[np.ndarray, np.ndarray]
    mid_transit_time: float
    level: np.ndarray
    drift: Drift
    foreground: np.ndarray
    contamination: Contamination
    jitter_amplitude: float
    response: PixelResponse

    @property
    def grid_um(self) -> np.ndarray:
        return grid_wavelengths()


def count_visits(seed: int, split: str, index: int, *, settings: Settings = Settings()) -> int:
    """1, or 2 for a share of the planets."""
    rng = planet_generator(seed, split, index, purpose=PURPOSE_VISIT - 1)
    return 2 if rng.random() < settings.two_visit_fraction else 1


def draw_visits(seed: int, split: str, index: int, *, settings: Settings = Settings()) -> list[VisitTruth]:
    """All visits of planet ``index`` of a split: one planet, one star, different drift, pointing and
    contamination."""
    planet = draw_planet(seed, split, index, settings=settings)
    grid = grid_wavelengths()
    rng = planet_generator(seed, split, index, purpose=PURPOSE_SPECTRUM)
    spectrum, atmosphere = draw_spectrum(rng, planet, grid)
    limb_darkening = limb_darkening_coefficients(grid, planet.star.temperature_k, rng=rng)
    level = _draw_levels(rng, grid, planet.star.temperature_k)
    visits = []
    for visit in range(count_visits(seed, split, index, settings=settings)):
        rng = planet_generator(seed, split, index, purpose=PURPOSE_VISIT + visit)
        contamination = draw_contamination(
            rng,
            grid,
            planet.star.temperature_k,
            spot_fraction=settings.spot_fraction,
            dilution_fraction=settings.dilution_fraction,
        )
        drift = draw_drift(rng, grid)
        # A few start or end inside the transit by more than the usual range of mid-transit times allows.
        mid = float(rng.uniform(3.0, 4.5)) if rng.random() > 0.03 else float(rng.uniform(1.5, 6.0))
        visits.append(
            VisitTruth(
                planet=planet,
                atmosphere=atmosphere,
                visit=visit,
                label=grid_to_bins(spectrum),
                depth=spectrum * contamination.factor,
                limb_darkening=limb_darkening,
                mid_transit_time=mid,
                level=level * float(np.exp(1e-3 * rng.standard_normal())),
                drift=drift,
                foreground=_draw_foreground(rng, grid),
                contamination=contamination,
                jitter_amplitude=float(np.exp(0.15 * rng.standard_normal())),
                response=PixelResponse(
                    float(rng.normal(0.0, 0.028)),
                    float(rng.normal(0.0, 0.022)),
                    float(rng.normal(-0.05, 0.02)),
                    float(rng.normal(-0.05, 0.02)),
                ),
            )
        )
    return visits


def transit_flux_of(
    visit: VisitTruth,
    time_h: np.ndarray,
    *,
    exposure_h: float,
    grid: slice | np.ndarray = slice(None),
    supersample: int = 3,
) -> np.ndarray:
    """(T, W) relative flux of the transit alone, averaged over exposures, at the given entries of the
    grid."""
    import torch

    from spectramind_kit.transit import projected_separation, spectral_transit

    planet = visit.planet
    radius = torch.as_tensor(np.sqrt(visit.depth[grid]))[None]
    u1, u2 = (torch.as_tensor(u[grid])[None] for u in visit.limb_darkening)
    flux = 0.0
    offsets = ((np.arange(supersample) + 0.5) / supersample - 0.5) * exposure_h
    for offset in offsets:
        z = projected_separation(
            torch.as_tensor(time_h + offset),
            mid_transit_time=visit.mid_transit_time,
            period_d=planet.period_d,
            semi_major_axis=planet.semi_major_axis,
            inclination_deg=planet.inclination_deg,
        )
        flux = flux + spectral_transit(z[None], radius, u1, u2)[0].numpy()
    return flux / len(offsets)


def star_flux(
    visit: VisitTruth,
    time_h: np.ndarray,
    *,
    exposure_h: float,
    gain_drift: bool = True,
    grid: slice | np.ndarray = slice(None),
) -> np.ndarray:
    """(T, W) e⁻/s of star × transit × drift, noise free, without foreground and pointing."""
    flux = transit_flux_of(visit, time_h, exposure_h=exposure_h, grid=grid) * visit.level[grid]
    return flux * visit.drift.factor(time_h)[:, grid] if gain_drift else flux


def true_light_curve(
    visit: VisitTruth, time_h: np.ndarray, *, exposure_h: float, gain_drift: bool = True
) -> np.ndarray:
    """(T, 283) noise-free electrons per exposure (4.5 s and 0.1 s), as an ideal stage 1 would deliver them.

    The whole PSF is counted; an extraction window sees 97–98 % of it.
    """
    flux = grid_to_bins(star_flux(visit, time_h, exposure_h=exposure_h, gain_drift=gain_drift))
    flux[:, 0] *= FGS1.exposure_s
    flux[:, 1:] *= AIRS.exposure_s
    return flux


def _draw_levels(rng: np.random.Generator, grid: np.ndarray, temperature_k: float) -> np.ndarray:
    """(357,) e⁻/s: AIRS 9–20 M e⁻ per 4.5 s over the cut; FGS1 follows with the star's colour, about 265 k
    per 0.1 s."""
    total = float(np.clip(14.5e6 * np.exp(0.14 * rng.standard_normal()), 9e6, 19.5e6))
    colour = planck_photons(0.7, temperature_k) / planck_photons(2.5, temperature_k)
    colour /= planck_photons(0.7, 5500.0) / planck_photons(2.5, 5500.0)
    fgs1 = 2.65e5 * total / 14.5e6 * colour**0.5 * float(np.exp(0.06 * rng.standard_normal()))
    fgs1 = float(np.clip(fgs1, 1.4e5, 4.2e5))
    return np.concatenate(
        [[fgs1 / FGS1.exposure_s], airs_levels(grid[1:], temperature_k, total / AIRS.exposure_s)]
    )


def _draw_foreground(rng: np.random.Generator, grid: np.ndarray) -> np.ndarray:
    """(357,) e⁻/s per pixel: zodiacal light and the telescope's own heat towards 4 µm, through the same
    passband as the star."""
    size = float(np.exp(0.5 * rng.standard_normal()))
    scattered, thermal = rng.uniform(0.5, 1.5, 2)
    airs = (
        size
        * throughput(grid[1:])
        * (1.1 * scattered * (2.0 / grid[1:]) + 0.7 * thermal * np.exp((grid[1:] - 3.9) / 0.5))
    )
    return np.concatenate([[8.0 * size * scattered], airs])
