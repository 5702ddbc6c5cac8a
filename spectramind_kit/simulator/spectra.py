"""Transmission spectra: an isothermal atmosphere over a cloud deck, with haze and six molecules.

Where the slant optical depth reaches 0.56 the atmosphere turns opaque (Lecavelier des Etangs et al. 2008, A&A
481, L83): z(λ) = H ln(P₀ σ(λ) √(2πR/H) / (0.56 k T)), with H = kT/(μ g), so a planet's depth is (R₀ + z(λ))²
/ R★².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import K_B, M_H_KG, R_JUP_M
from spectramind_kit.simulator.molecules import NAMES, cross_sections
from spectramind_kit.simulator.stars_planets import Planet

REFERENCE_PA = 1.0e6  # 10 bar, where the radius is defined before the level is fixed
_RAYLEIGH_CM2, _RAYLEIGH_UM = 2.5e-27, 0.5  # H2 at 0.5 µm, falls as λ⁻⁴
OPAQUE = 0.56
STD_RANGE = (5e-6, 168e-6)  # of ten real labels, narrower than all: docs/decisions.md D7
SOFT_STD = 110e-6


def rayleigh_cm2(wavelength_um: np.ndarray, slope: float = -4.0) -> np.ndarray:
    """Scattering of H2, cm² per molecule; another ``slope`` where larger grains scatter."""
    return _RAYLEIGH_CM2 * (wavelength_um / _RAYLEIGH_UM) ** slope


@dataclass(frozen=True)
class Atmosphere:
    mean_weight: float  # of a molecule, in hydrogen masses
    temperature_k: float
    log_abundances: tuple[float, ...]  # log10 of the volume mixing ratios, in the order of `molecules.NAMES`
    haze: float  # times the Rayleigh scattering of H2 at 0.5 µm
    haze_slope: float  # power of the wavelength: −4 for small grains
    cloud_pa: float  # pressure at the top of an opaque grey deck


def draw_atmosphere(rng: np.random.Generator, planet: Planet) -> Atmosphere:
    """Near solar composition: water in all, methane and ammonia in cool ones, CO and CO2 in hot ones."""
    temperature = planet.equilibrium_temperature_k * float(np.exp(0.06 * rng.standard_normal()))
    cool = 1.0 / (1.0 + np.exp((temperature - 1000.0) / 130.0))
    metals = float(rng.normal(0.3, 0.55))
    means = {
        "H2O": -3.4,
        "CO2": -6.3 + 1.3 * metals * 0.5,
        "CH4": -6.8 + 3.0 * cool,
        "CO": -3.5 - 1.0 * cool,
        "SO2": -7.3 + 0.6 * metals,
        "NH3": -7.0 + 1.6 * cool,
    }
    scatter = {"H2O": 0.5, "CO2": 0.7, "CH4": 0.8, "CO": 0.6, "SO2": 0.8, "NH3": 0.7}
    abundances = tuple(
        float(np.clip(means[name] + metals * 0.6 + scatter[name] * rng.standard_normal(), -10.0, -1.5))
        for name in NAMES
    )
    heavy = max(0.0, metals - 0.8)
    return Atmosphere(
        mean_weight=2.3 + 3.0 * heavy + 0.3 * float(rng.random()),
        temperature_k=temperature,
        log_abundances=abundances,
        haze=float(10.0 ** rng.normal(1.6, 1.3)),
        haze_slope=float(rng.uniform(-4.6, -1.5)),
        cloud_pa=float(10.0 ** rng.uniform(2.0, 5.5)),
    )


def scale_height_m(planet: Planet, atmosphere) -> float:
    """H = kT/(μ g), m. Planets of low gravity would be all atmosphere: H stays a small part of the radius."""
    height = K_B * atmosphere.temperature_k / (atmosphere.mean_weight * M_H_KG * planet.gravity)
    return min(height, 0.012 * planet.radius_jup * R_JUP_M)


def opaque_pressure(planet: Planet, atmosphere, sigma_m2: np.ndarray) -> np.ndarray:
    """Pa where a gas of this cross-section turns opaque along the limb."""
    height, radius = scale_height_m(planet, atmosphere), planet.radius_jup * R_JUP_M
    path = np.sqrt(2.0 * np.pi * radius / height) * height
    return OPAQUE * K_B * atmosphere.temperature_k / (sigma_m2 * path)


def transmission_depth(planet: Planet, atmosphere: Atmosphere, wavelength_um: np.ndarray) -> np.ndarray:
    """(W,) depth (Rp/Rs)² of the physical model, its AIRS mean at ``planet.depth``."""
    gas = (10.0 ** np.array(atmosphere.log_abundances)[:, None] * cross_sections(wavelength_um)).sum(0) * 1e-4
    sigma_m2 = gas + atmosphere.haze * rayleigh_cm2(wavelength_um, atmosphere.haze_slope) * 1e-4
    opaque_pa = opaque_pressure(planet, atmosphere, sigma_m2)
    # The deck joins smoothly: the observer sees the higher of gas and cloud, blurred over a scale height.
    gas_height, cloud_height = (2.0 * np.log(REFERENCE_PA / p) for p in (opaque_pa, atmosphere.cloud_pa))
    relative = scale_height_m(planet, atmosphere) / (planet.radius_jup * R_JUP_M)
    height = relative * (np.logaddexp(gas_height, cloud_height) / 2.0)
    return planet.depth * (1.0 + height - height[1:].mean()) ** 2


def draw_spectrum(
    rng: np.random.Generator, planet: Planet, wavelength_um: np.ndarray
) -> tuple[np.ndarray, Atmosphere]:
    """The label on the simulator's grid (FGS1 first) and the atmosphere that made it.

    Amplitudes follow the competition's labels (within-spectrum std 5–168 ppm): large ones are compressed
    towards ``SOFT_STD``, as the thicker clouds of puffy planets do.
    """
    atmosphere = draw_atmosphere(rng, planet)
    depth = transmission_depth(planet, atmosphere, wavelength_um)
    inside = (wavelength_um > 1.95) & (wavelength_um < 3.9)
    level, spread = depth[inside].mean(), depth[inside].std()
    target = spread / np.sqrt(1.0 + (spread / SOFT_STD) ** 2) * float(np.exp(0.2 * rng.standard_normal()))
    target = float(np.clip(target, *STD_RANGE))
    return planet.depth + target / spread * (depth - level), atmosphere
