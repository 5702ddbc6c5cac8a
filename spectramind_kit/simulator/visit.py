"""Everything that is true of one visit before a detector sees it. Frames and light curves both start here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator import line_spectra, spectra
from spectramind_kit.simulator.contamination import Contamination, draw_anomaly, draw_contamination
from spectramind_kit.simulator.drift import Drift, draw_drift
from spectramind_kit.simulator.hidden_effects import HiddenEffects, draw_hidden_effects, draw_other_law
from spectramind_kit.simulator.light_levels import draw_foreground, draw_levels
from spectramind_kit.simulator.limb_darkening_law import limb_darkening_coefficients
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.stars_planets import Planet, draw_planet
from spectramind_kit.simulator.streams import HIDDEN, SPECTRUM, STAR, VISIT, VISIT_COUNT, planet_generator
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths


@dataclass(frozen=True)
class PixelResponse:
    """FGS1's total response to pointing, relative flux: within-pixel structure that no flat removes."""

    x: float  # per px
    y: float
    xx: float  # per px²
    yy: float


@dataclass(frozen=True)
class VisitTruth:
    """One visit. Arrays of 357 are on `grid_wavelengths`: FGS1, then AIRS columns in detector order."""

    planet: Planet
    atmosphere: spectra.Atmosphere | line_spectra.LineAtmosphere
    visit: int
    label: np.ndarray  # (283,) the planet's spectrum
    depth: np.ndarray  # (357,) what this visit really shows: label × contamination
    limb_darkening: tuple[np.ndarray, np.ndarray]  # u1, u2, (357,) each
    mid_transit_time: float  # h
    level: np.ndarray  # (357,) e⁻/s out of transit
    drift: Drift
    foreground: np.ndarray  # (357,) e⁻/s per pixel
    contamination: Contamination
    jitter_amplitude: float  # times the usual one
    response: PixelResponse
    optics: str  # `Settings.optics`
    hidden: HiddenEffects  # what no model of a transit knows

    @property
    def grid_um(self) -> np.ndarray:
        return grid_wavelengths()


def count_visits(seed: int, split: str, index: int, *, settings: Settings = Settings()) -> int:
    """1, or 2 for a share of the planets."""
    rng = planet_generator(seed, split, index, purpose=VISIT_COUNT)
    return 2 if rng.random() < settings.two_visit_fraction else 1


def draw_visits(seed: int, split: str, index: int, *, settings: Settings = Settings()) -> list[VisitTruth]:
    """All visits of planet ``index`` of a split.

    One planet, one star; drift, pointing, foreground and contamination differ.
    """
    planet, grid = draw_planet(seed, split, index, settings=settings), grid_wavelengths()
    star_k = planet.star.temperature_k
    rng = planet_generator(seed, split, index, purpose=SPECTRUM)
    spectrum, atmosphere = (line_spectra if settings.spectra == "lines" else spectra).draw_spectrum(
        rng, planet, grid
    )
    limb_darkening = limb_darkening_coefficients(grid, star_k, rng=rng, scatter=settings.limb_scatter)
    level = draw_levels(rng, grid, star_k)
    rng = planet_generator(seed, split, index, purpose=STAR)
    other_law = draw_other_law(rng, *limb_darkening) if rng.random() < settings.other_law_fraction else None
    if rng.random() < settings.bright_fraction:
        level = level * float(rng.uniform(1.7, 3.5))
    visits = []
    for visit in range(count_visits(seed, split, index, settings=settings)):
        rng = planet_generator(seed, split, index, purpose=VISIT + visit)
        contamination = draw_contamination(rng, grid, star_k, settings=settings)
        drift = draw_drift(rng, grid, kind=settings.drift)
        # A few start or end inside the transit by more than the usual range of mid-transit times allows.
        mid = float(rng.uniform(3.0, 4.5)) if rng.random() > 0.03 else float(rng.uniform(1.5, 6.0))
        odd = planet_generator(seed, split, index, purpose=HIDDEN + visit)
        anomaly = draw_anomaly(odd, grid, star_k, settings=settings)
        hidden = draw_hidden_effects(odd, grid, star_k, limb_steps=other_law, settings=settings)
        truth = VisitTruth(
            planet=planet,
            atmosphere=atmosphere,
            visit=visit,
            label=grid_to_bins(spectrum),
            depth=spectrum * contamination.factor * anomaly,
            limb_darkening=limb_darkening,
            mid_transit_time=mid,
            level=level * float(np.exp(1e-3 * rng.standard_normal())),
            drift=drift,
            foreground=draw_foreground(rng, grid, star_k, kind=settings.foreground),
            contamination=contamination,
            jitter_amplitude=float(np.exp(0.15 * rng.standard_normal())),
            response=PixelResponse(
                *rng.normal([0.0, 0.0, -0.05, -0.05], [0.028, 0.022, 0.02, 0.02]).tolist()
            ),
            optics=settings.optics,
            hidden=hidden,
        )
        visits.append(truth)
    return visits
