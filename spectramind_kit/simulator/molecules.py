"""Absorption bands of the molecules that shape a transmission spectrum between 0.5 and 4.1 µm.

A band model: every vibration–rotation band is a bell of given centre, width (its P and R branches at ~1000 K)
and strength in log10 of the cross-section per molecule (cm²) at its top, over a floor between bands. Centres
are the band origins of the HITRAN/ExoMol catalogues; widths and strengths follow the published low-resolution
opacities at 1000 K and 10 mbar (Tennyson & Yurchenko 2018; Chubb et al. 2021, A&A 646, A21), rounded: a
spectrum of ours resembles a line-by-line one, it does not replace it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Molecule:
    """``bands``: (centre µm, half width at half depth in µm, log10 σ/cm² at the top); ``floor``: log10 σ
    between bands at 3 µm."""

    name: str
    bands: tuple[tuple[float, float, float], ...]
    floor: float
    floor_slope: float = 0.0


MOLECULES = (
    Molecule(
        "H2O",
        (
            (0.72, 0.020, -25.0),
            (0.82, 0.022, -24.5),
            (0.94, 0.030, -23.6),
            (1.14, 0.045, -22.9),
            (1.38, 0.070, -21.3),
            (1.87, 0.100, -20.9),
            (2.66, 0.150, -19.6),
            (2.74, 0.28, -20.0),
            (3.17, 0.20, -21.4),
        ),
        -22.9,
        0.6,
    ),
    Molecule(
        "CO2",
        (
            (1.44, 0.015, -23.0),
            (1.60, 0.020, -23.2),
            (1.96, 0.015, -22.3),
            (2.01, 0.018, -21.7),
            (2.06, 0.015, -22.2),
            (2.69, 0.022, -19.5),
            (2.77, 0.025, -19.4),
            (4.26, 0.085, -17.9),
        ),
        -25.5,
    ),
    Molecule(
        "CH4",
        (
            (0.89, 0.020, -23.8),
            (1.16, 0.040, -22.8),
            (1.40, 0.050, -22.1),
            (1.66, 0.030, -21.4),
            (1.73, 0.07, -22.0),
            (2.20, 0.04, -21.2),
            (2.32, 0.07, -20.6),
            (2.42, 0.10, -21.1),
            (3.31, 0.075, -18.9),
            (3.32, 0.22, -19.9),
            (3.80, 0.15, -21.6),
        ),
        -23.0,
    ),
    Molecule(
        "CO", ((1.57, 0.020, -24.4), (2.32, 0.018, -21.6), (2.37, 0.035, -21.4), (4.67, 0.16, -18.7)), -26.0
    ),
    Molecule(
        "SO2", ((2.46, 0.03, -22.8), (2.79, 0.04, -22.2), (3.75, 0.05, -21.7), (4.02, 0.045, -19.9)), -24.5
    ),
    Molecule(
        "NH3",
        (
            (1.20, 0.03, -23.2),
            (1.51, 0.045, -21.5),
            (1.97, 0.045, -21.0),
            (2.22, 0.06, -21.3),
            (2.30, 0.05, -21.2),
            (2.95, 0.10, -19.6),
            (3.05, 0.20, -20.4),
        ),
        -23.0,
    ),
)
NAMES = tuple(molecule.name for molecule in MOLECULES)


def cross_section(molecule: Molecule, wavelength_um: np.ndarray) -> np.ndarray:
    """Cross-section per molecule, cm², shape of ``wavelength_um``.

    In a band log10 σ falls from the top as a bell whose flanks are between Gaussian and Lorentzian, down to
    the floor: rotation fills the flanks at the temperatures of hot planets.
    """
    wavelength_um = np.asarray(wavelength_um, float)
    total = 10.0 ** (molecule.floor + molecule.floor_slope * (wavelength_um - 3.0))
    for centre, width, top in molecule.bands:
        distance = np.abs(wavelength_um - centre) / width
        total = total + 10.0 ** (top - 1.35 * (np.sqrt(1.0 + 0.75 * distance**2) - 1.0) * 1.6)
    return total


def cross_sections(wavelength_um: np.ndarray) -> np.ndarray:
    """(6, …) cm², in the order of ``NAMES``."""
    return np.stack([cross_section(molecule, wavelength_um) for molecule in MOLECULES])
