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
    name: str
    centre_um: tuple[float, ...]  # of each band
    width_um: tuple[float, ...]  # half width at half depth
    top: tuple[float, ...]  # log10 σ/cm² at the band's top
    floor: float  # log10 σ/cm² between bands at 3 µm
    floor_slope: float = 0.0  # per µm


MOLECULES = (
    Molecule(
        "H2O",
        centre_um=(0.72, 0.82, 0.94, 1.14, 1.38, 1.87, 2.66, 2.74, 3.17),
        width_um=(0.020, 0.022, 0.030, 0.045, 0.070, 0.100, 0.150, 0.28, 0.20),
        top=(-25.0, -24.5, -23.6, -22.9, -21.3, -20.9, -19.6, -20.0, -21.4),
        floor=-22.9,
        floor_slope=0.6,
    ),
    Molecule(
        "CO2",
        centre_um=(1.44, 1.60, 1.96, 2.01, 2.06, 2.69, 2.77, 4.26),
        width_um=(0.015, 0.020, 0.015, 0.018, 0.015, 0.022, 0.025, 0.085),
        top=(-23.0, -23.2, -22.3, -21.7, -22.2, -19.5, -19.4, -17.9),
        floor=-25.5,
    ),
    Molecule(
        "CH4",
        centre_um=(0.89, 1.16, 1.40, 1.66, 1.73, 2.20, 2.32, 2.42, 3.31, 3.32, 3.80),
        width_um=(0.020, 0.040, 0.050, 0.030, 0.07, 0.04, 0.07, 0.10, 0.075, 0.22, 0.15),
        top=(-23.8, -22.8, -22.1, -21.4, -22.0, -21.2, -20.6, -21.1, -18.9, -19.9, -21.6),
        floor=-23.0,
    ),
    Molecule(
        "CO", (1.57, 2.32, 2.37, 4.67), (0.020, 0.018, 0.035, 0.16), (-24.4, -21.6, -21.4, -18.7), -26.0
    ),
    Molecule("SO2", (2.46, 2.79, 3.75, 4.02), (0.03, 0.04, 0.05, 0.045), (-22.8, -22.2, -21.7, -19.9), -24.5),
    Molecule(
        "NH3",
        centre_um=(1.20, 1.51, 1.97, 2.22, 2.30, 2.95, 3.05),
        width_um=(0.03, 0.045, 0.045, 0.06, 0.05, 0.10, 0.20),
        top=(-23.2, -21.5, -21.0, -21.3, -21.2, -19.6, -20.4),
        floor=-23.0,
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
    for centre, width, top in zip(molecule.centre_um, molecule.width_um, molecule.top, strict=True):
        distance = np.abs(wavelength_um - centre) / width
        total = total + 10.0 ** (top - 1.35 * (np.sqrt(1.0 + 0.75 * distance**2) - 1.0) * 1.6)
    return total


def cross_sections(wavelength_um: np.ndarray) -> np.ndarray:
    """(6, …) cm², in the order of ``NAMES``."""
    return np.stack([cross_section(molecule, wavelength_um) for molecule in MOLECULES])
