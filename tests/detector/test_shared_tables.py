"""The tables together, and what stands in for one that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.errors import DataError


def test_stand_ins_are_used_and_told(data):
    """Guards against one empty table of the rerun costing every planet."""
    plain = read_shared_tables(data)
    (data / "adc_info.csv").write_bytes(b"")
    with pytest.raises(DataError, match="adc_info"):
        read_shared_tables(data)
    (data / "wavelengths.csv").write_bytes(b"")
    told = []
    found = read_shared_tables(data, adc=plain.adc, tell=told.append)
    assert found.adc == plain.adc and "those of the training" in told[0] and "axis_info.parquet" in told[1]
    np.testing.assert_allclose(found.wavelength_um, plain.wavelength_um)
    found = read_shared_tables(data, adc=plain.adc, wavelength_um=plain.wavelength_um, tell=told.append)
    np.testing.assert_array_equal(found.wavelength_um, plain.wavelength_um)


def test_the_columns_are_those_of_the_wavelengths(data):
    """Guards against a spectrum drawn or fitted at the wavelengths of other columns."""
    tables = read_shared_tables(data)
    assert tables.airs.shape == (32, 356) and tables.airs.cut == slice(39, 321)
    np.testing.assert_allclose(np.sort(tables.column_um), tables.wavelength_um[1:], rtol=1e-3)
