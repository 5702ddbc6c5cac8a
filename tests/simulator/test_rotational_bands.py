"""Line by line absorption: what heat, a linear rotor and a Q branch must look like."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.rotational_bands import (
    MOLECULES,
    NAMES,
    WAVENUMBER_CM,
    Molecule,
    cross_section,
    log_cross_sections,
)

CO2, CH4 = (MOLECULES[NAMES.index(name)] for name in ("CO2", "CH4"))


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return values[(low <= WAVENUMBER_CM) & (high >= WAVENUMBER_CM)]


def test_a_band_keeps_its_strength():
    """Guards against lines that are lost or counted twice: the integral over the band is the band's
    strength."""
    molecule = Molecule("X", (0.4,), ((700, 2),), ((4500.0, 1e-18, False),), 10.0)
    for temperature in (400.0, 1800.0):
        assert cross_section(molecule, temperature).sum() == pytest.approx(1e-18, rel=0.01)


@pytest.mark.parametrize("molecule", MOLECULES, ids=lambda m: m.name)
def test_heat_fills_the_gaps(molecule):
    """Guards against bands whose shape does not know the temperature: hot gas is more opaque between its
    bands."""
    cold, hot = (np.log(cross_section(molecule, t)) for t in (500.0, 2000.0))
    assert hot.mean() > cold.mean()


def test_a_linear_molecule_has_two_humps_and_a_gap():
    """Guards the P and R branches: between them, at the band's origin, there is a dip."""
    molecule = Molecule("X", (0.4,), (), ((4500.0, 1e-18, False),), 0.0)
    sigma = cross_section(molecule, 900.0)
    origin = between(sigma, 4498, 4502).mean()
    assert between(sigma, 4470, 4490).mean() > 1.5 * origin < between(sigma, 4510, 4530).mean()


def test_a_q_branch_is_a_spike():
    """Guards the sharp feature that carries methane: a few cells hold far more than their neighbours."""
    sigma = cross_section(CH4, 600.0)
    assert between(sigma, 3000, 3025).max() > 5.0 * np.median(between(sigma, 2950, 3080))


def test_carbon_dioxide_is_a_box_at_2_7_micron():
    """Guards the strongest box of the range: three decades above what lies 250 cm⁻¹ away."""
    sigma = cross_section(CO2, 900.0)
    assert between(sigma, 3560, 3740).mean() > 1e3 * between(sigma, 4050, 4250).mean()


def test_the_table_is_finite_and_has_every_molecule():
    """Guards against a logarithm of nothing."""
    table = log_cross_sections()
    assert table.shape[0] == len(NAMES) == len(set(NAMES)) and table.shape[2] == len(WAVENUMBER_CM)
    assert np.isfinite(table).all()
