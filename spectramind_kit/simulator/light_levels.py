"""How much light there is: the stellar spectrum through the throughput, and the foreground."""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1, planck_photons

# Photo-electrons per photon radiance and µm, relative: shape of the AIRS-CH0 passband.
_PASSBAND_UM = (
    *(1.60, 1.66, 1.75, 1.81, 1.91, 1.95, 2.02, 2.23, 2.33, 2.43, 2.62, 2.71),
    *(2.80, 2.97, 3.06, 3.30, 3.66, 3.72, 3.79, 3.85, 3.91, 3.97, 4.02, 4.08),
)
_PASSBAND = (
    *(0.002, 0.03, 0.12, 0.20, 0.40, 0.85, 1.22, 1.23, 1.15, 1.02, 1.10, 1.18),
    *(1.13, 0.95, 0.92, 0.98, 0.985, 0.955, 0.84, 0.59, 0.25, 0.055, 0.014, 0.006),
)


def throughput(wavelength_um: np.ndarray) -> np.ndarray:
    """AIRS-CH0's passband, about 1 inside it."""
    return np.interp(wavelength_um, _PASSBAND_UM, _PASSBAND)


def airs_levels(wavelength_um: np.ndarray, temperature_k: float, total: float) -> np.ndarray:
    """(356,) e⁻/s per column of a star whose cut columns together give ``total`` e⁻/s."""
    width = np.abs(np.gradient(wavelength_um))
    shape = planck_photons(wavelength_um, temperature_k) * width * throughput(wavelength_um)
    return total * shape / shape[AIRS.cut].sum()


def draw_levels(rng: np.random.Generator, grid_um: np.ndarray, temperature_k: float) -> np.ndarray:
    """(357,) e⁻/s of a star: AIRS 9–20 M e⁻ per 4.5 s over the cut, FGS1 about 265 k per 0.1 s."""
    total = float(np.clip(14.5e6 * np.exp(0.14 * rng.standard_normal()), 9e6, 19.5e6))
    colour = planck_photons(0.7, temperature_k) / planck_photons(2.5, temperature_k)
    colour /= planck_photons(0.7, 5500.0) / planck_photons(2.5, 5500.0)
    fgs1 = 2.65e5 * total / 14.5e6 * colour**0.5 * float(np.exp(0.06 * rng.standard_normal()))
    fgs1 = float(np.clip(fgs1, 1.4e5, 4.2e5))
    airs = airs_levels(grid_um[1:], temperature_k, total / AIRS.exposure_s)
    return np.concatenate([[fgs1 / FGS1.exposure_s], airs])


def draw_foreground(rng: np.random.Generator, grid_um: np.ndarray, star_k: float, *, kind: str) -> np.ndarray:
    """(357,) e⁻/s per pixel."""
    return {"zodiacal": _zodiacal, "passband": _passband}[kind](rng, grid_um, star_k)


def _zodiacal(rng: np.random.Generator, grid_um: np.ndarray, star_k: float) -> np.ndarray:
    """Sunlight on dust, so smooth and nearly of the star's colour: 21 e⁻ per exposure at 2.1 µm, 6 at 3.9;
    FGS1 1–2.

    Measured on one star without a model, in the dilution of its transit (docs/decisions.md D96); sizes
    scatter by e^±0.5. Light from all directions fills each column with a range of wavelengths, so the
    passband's edges blur.
    """
    size, colour = np.exp(rng.normal(0.0, (0.5, 0.1)))
    airs_um = grid_um[1:]
    light = planck_photons(airs_um, star_k * colour) / planck_photons(2.1, star_k * colour)
    bend = np.exp(rng.normal(0.0, 0.08) * (airs_um - 2.9))
    airs = 21.0 * (0.1 + 0.9 * light) * bend / AIRS.exposure_s
    return size * np.concatenate([[1.5 / FGS1.exposure_s], airs])


def _passband(rng: np.random.Generator, grid_um: np.ndarray, star_k: float) -> np.ndarray:
    """Zodiacal light, and the telescope's heat towards 4 µm, both through the passband of a point source."""
    size = float(np.exp(0.5 * rng.standard_normal()))
    scattered, thermal = rng.uniform(0.5, 1.5, 2)
    airs_um = grid_um[1:]
    light = 1.1 * scattered * (2.0 / airs_um) + 0.7 * thermal * np.exp((airs_um - 3.9) / 0.5)
    return np.concatenate([[8.0 * size * scattered], size * throughput(airs_um) * light])
