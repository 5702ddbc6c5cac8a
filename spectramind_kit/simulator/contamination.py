"""Why a visit's depth may differ from its label: unocculted star spots, and light of a neighbour.

A transit fit measures the loss of light against everything the detector sees. Spots that the planet does not
cross make the crossed disk brighter than the average disk (Rackham et al. 2018, ApJ 853, 122, eq. 3): depth′
= depth / (1 − f·(1 − F_spot/F_phot)). A neighbour in the aperture adds constant light: depth′ = depth / (1 +
c(λ)). No transit model can tell either from the spectrum itself, so they bound what any method can reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import planck_photons
from spectramind_kit.simulator.settings import Settings

SPOT_COVERING_SCALE = 0.012  # sizes are assumed: docs/decisions.md D57
NEIGHBOUR_SCALE = 0.006
ANOMALY = 0.04  # of the depth, typically: docs/decisions.md D95


@dataclass(frozen=True)
class Contamination:
    kind: str  # none, spots or dilution
    factor: np.ndarray  # (W,) multiplies the depth


def draw_contamination(
    rng: np.random.Generator, wavelength_um: np.ndarray, star_k: float, *, settings: Settings
) -> Contamination:
    """One visit's mismatch. Covering fractions and flux ratios are half-normal with the scales above."""
    which = rng.random()
    size = abs(float(rng.standard_normal()))
    temperature = float(rng.random())
    if which < settings.spot_fraction:
        spot_k = star_k * (0.75 + 0.15 * temperature)
        return Contamination("spots", spot_factor(wavelength_um, star_k, spot_k, SPOT_COVERING_SCALE * size))
    if which < settings.spot_fraction + settings.dilution_fraction:
        neighbour_k = 3200.0 + 2500.0 * temperature
        factor = dilution_factor(wavelength_um, star_k, neighbour_k, NEIGHBOUR_SCALE * size)
        return Contamination("dilution", factor)
    return Contamination("none", np.ones_like(wavelength_um))


def draw_anomaly(
    rng: np.random.Generator, wavelength_um: np.ndarray, star_k: float, *, settings: Settings
) -> np.ndarray:
    """(W,) factor of the depth in a visit that is off by several per cent, for no reason that it shows; else
    1.

    Half of them are grey, half have the colour of a cool or hot neighbour.
    """
    odd, grey = rng.random() < settings.anomaly_fraction, rng.random() < 0.5
    size = float(np.exp(rng.normal(np.log(ANOMALY), 0.5))) * rng.choice([-1.0, 1.0], p=[0.35, 0.65])
    neighbour_k = rng.uniform(2800.0, 8000.0)
    if not odd:
        return np.ones_like(wavelength_um)
    if grey:
        return np.full_like(wavelength_um, 1.0 / (1.0 + size))
    return dilution_factor(wavelength_um, star_k, neighbour_k, size)


def spot_factor(wavelength_um: np.ndarray, star_k: float, spot_k: float, covering: float) -> np.ndarray:
    """Depth ratio of a star with a share ``covering`` of its disk in unocculted spots of that temperature."""
    contrast = planck_photons(wavelength_um, spot_k) / planck_photons(wavelength_um, star_k)
    return 1.0 / (1.0 - covering * (1.0 - contrast))


def dilution_factor(wavelength_um: np.ndarray, star_k: float, neighbour_k: float, ratio: float) -> np.ndarray:
    """Depth ratio with a neighbour of black-body colour that has ``ratio`` of the star's flux at 2.9 µm."""
    colour = planck_photons(wavelength_um, neighbour_k) / planck_photons(wavelength_um, star_k)
    middle = planck_photons(2.9, neighbour_k) / planck_photons(2.9, star_k)
    return 1.0 / (1.0 + ratio * colour / middle)
