from __future__ import annotations

import pytest

from spectramind_kit.simulator.light_levels import airs_levels
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths

COLUMNS = airs_column_wavelengths()


def test_stellar_flux_along_the_columns():
    """Guards against a throughput far from the real one: 5 k e⁻ at 3.9 µm, 160 k at the brightest column,
    16.26 M in all."""
    levels = 4.5 * airs_levels(COLUMNS, 4800.0, 16.26e6 / 4.5)
    assert levels[39:321].sum() == pytest.approx(16.26e6, rel=1e-9)
    assert levels[39] == pytest.approx(5e3, rel=0.25) and levels[39:321].max() == pytest.approx(
        160e3, rel=0.1
    )
