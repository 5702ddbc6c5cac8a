"""The wavelengths stand by their names."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.wavelengths import read_wavelengths
from spectramind_kit.errors import DataError


def test_wavelengths_by_name(data, edit):
    true = read_wavelengths(data)
    told = []
    edit(
        data / "wavelengths.csv",
        lambda t: t.copy().assign(note=1)[["note", *t.columns[100:], *t.columns[:100]]],
    )
    # pandas 2, which has rewritten the table here, is one unit in the last place off
    np.testing.assert_allclose(read_wavelengths(data, tell=told.append), true, rtol=4e-16)
    assert "names decide" in told[0]
    edit(data / "wavelengths.csv", lambda t: t.assign(wl_9=t["wl_8"]))
    with pytest.raises(DataError, match="not in order"):
        read_wavelengths(data)
    edit(data / "wavelengths.csv", lambda t: t.assign(wl_9="x"))
    with pytest.raises(DataError, match="not a number"):
        read_wavelengths(data)


def test_another_table_says_so(data):
    """Guards against a KeyError far from the table that caused it."""
    (data / "wavelengths.csv").write_text("wl_1\n1\n")
    with pytest.raises(DataError, match="283"):
        read_wavelengths(data)
