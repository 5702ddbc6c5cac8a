"""Time stamps: padding, holes, units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.axis_info import read_axis_info
from spectramind_kit.detector.wavelengths import read_wavelengths
from spectramind_kit.errors import DataError


@pytest.mark.parametrize("factor", [3600.0, 60.0, 1 / 24.0])
def test_time_stamps_in_another_unit_are_an_error(data, factor):
    """Guards against stamps in seconds, minutes or days: every depth ± 18,000 ppm, without a word."""
    table = pd.read_parquet(data / "axis_info.parquet")
    times = [name for name in table if name.endswith("-h")]
    hours = table[times] * 7.5 / table[times].max().max()
    table.assign(**hours).to_parquet(data / "axis_info.parquet")
    read_axis_info(data)
    table.assign(**(factor * hours)).to_parquet(data / "axis_info.parquet")
    with pytest.raises(DataError, match="not in hours"):
        read_axis_info(data)


def test_holes_in_the_time_stamps(data):
    """Guards against a missing stamp that is cut out, so that every later frame takes the time of another."""
    true = read_axis_info(data)
    table = pq.read_table(data / "axis_info.parquet").to_pandas()
    table.loc[20, "FGS1-axis0-h"] = np.nan
    pq.write_table(pa.Table.from_pandas(table), data / "axis_info.parquet")
    told = []
    np.testing.assert_allclose(
        read_axis_info(data, tell=told.append).fgs1_time_h, true.fgs1_time_h, rtol=0, atol=1e-9
    )
    assert "1 holes" in told[0]
    table.loc[30, "FGS1-axis0-h"] = table.loc[29, "FGS1-axis0-h"] - 1.0
    pq.write_table(pa.Table.from_pandas(table), data / "axis_info.parquet")
    with pytest.raises(DataError, match="do not ascend"):
        read_axis_info(data, tell=told.append)


def test_axis_padding_is_removed(make_competition):
    """Guards against NaN time stamps from the padding of axis_info."""
    data = make_competition()
    axis = read_axis_info(data)
    assert (
        len(axis.airs_time_h) == 160 and len(axis.fgs1_time_h) == 1920 and len(axis.airs_wavelength_um) == 356
    )
    assert np.isfinite(axis.fgs1_time_h).all()
    np.testing.assert_array_equal(read_wavelengths(data)[1:], axis.airs_wavelength_um[39:321][::-1])


def test_a_damaged_table_says_so(data):
    """Guards against pyarrow's own exception, and a KeyError far from the table that caused it."""
    table = pd.read_parquet(data / "axis_info.parquet")
    table.drop(columns="AIRS-CH0-axis2-um").to_parquet(data / "axis_info.parquet")
    with pytest.raises(DataError, match="columns are missing"):
        read_axis_info(data)
    table.assign(**{"FGS1-axis0-h": "now"}).to_parquet(data / "axis_info.parquet")
    with pytest.raises(DataError, match="not numeric"):
        read_axis_info(data)
    (data / "axis_info.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read"):
        read_axis_info(data)
