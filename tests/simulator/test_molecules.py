from __future__ import annotations

import pytest

from spectramind_kit.simulator.molecules import MOLECULES, NAMES, cross_section
from spectramind_kit.simulator.wavelengths import grid_wavelengths

GRID = grid_wavelengths()


@pytest.mark.parametrize(
    "name, peak_um", [("H2O", 2.67), ("CO2", 2.74), ("CH4", 3.31), ("CO", 2.33), ("SO2", 4.02), ("NH3", 2.97)]
)
def test_each_molecule_absorbs_in_its_own_band(name, peak_um):
    """Guards against bands that moved: between 2 and 4.07 µm the strongest absorption is where the catalogues
    have it."""
    inside = GRID[(GRID > 2.0) & (4.0 + 0.05 * (name != "CO2") > GRID)]
    sigma = cross_section(MOLECULES[NAMES.index(name)], inside)
    assert inside[sigma.argmax()] == pytest.approx(peak_um, abs=0.08)
