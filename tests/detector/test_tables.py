"""The competition's tables, damaged: what stands, what is unknown, what is an error, and that it is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector import extract_light_curve, find_visits
from spectramind_kit.detector.layout import (
    read_adc_info,
    read_axis_info,
    read_labels,
    read_shared_tables,
    read_star_info,
    read_wavelengths,
)
from spectramind_kit.detector.spectra import read_spectra
from spectramind_kit.errors import DataError

ADC = ["FGS1_adc_offset", "FGS1_adc_gain", "AIRS-CH0_adc_offset", "AIRS-CH0_adc_gain"]


@pytest.fixture
def data(make_competition):
    return make_competition(fresh=True, planets=(11, 7, 5))


def edit(path, change):
    table = pd.read_csv(path)
    change(table).to_csv(path, index=False)


def test_a_bad_star_costs_its_planet(data):
    told = []
    edit(
        data / "test_star_info.csv",
        lambda t: t.astype(object).assign(sma=["--", 10.0, 1e9], i=[89.0, 1.55, 89.0]),
    )
    table = read_star_info(data, "test", tell=told.append)
    assert table["sma"].isna().tolist() == [True, False, True] and table["i"].isna().tolist() == [
        False,
        True,
        False,
    ]
    assert (table.dtypes == np.float64).all() and (table["P"] == 4.0).all()
    assert all(words in " ".join(told) for words in ("planet 11 sma '--'", "planet 7 i 1.55", "planet 5 sma"))


@pytest.mark.parametrize("column, factor", [("P", 24.0), ("P", 0.1), ("sma", 3.0), ("Rs", 9.7), ("Ms", 0.06)])
def test_a_star_against_keplers_law_is_unknown(data, column, factor):
    """Guards against periods in hours: in the plausible range, and errors of 10,000 ppm without a word."""
    told = []
    edit(data / "test_star_info.csv", lambda t: t.assign(Rs=1.0, Ms=1.0, P=4.0, sma=10.6))
    assert read_star_info(data, "test", tell=told.append).notna().all(axis=None) and not told
    edit(data / "test_star_info.csv", lambda t: t.assign(**{column: t[column] * [1.0, factor, 1.0]}))
    table = read_star_info(data, "test", tell=told.append)
    assert table[["Rs", "Ms", "P", "sma"]].isna().all(axis=1).tolist() == [False, True, False]
    assert table["i"].notna().all() and "Kepler" in told[0] and "planet 7" in told[0]


def test_a_doubled_label_does_not_move_the_others(data):
    """Guards against the fault that gave 57 of 60 planets another planet's spectrum."""
    edit(data / "train.csv", lambda t: t.assign(wl_1=[0.01, 0.02, 0.03]))
    true = read_labels(data)
    edit(data / "train.csv", lambda t: t.iloc[[0, 1, 1, 2]])
    found = read_labels(data)
    assert found.index.tolist() == [11, 7, 5]
    pd.testing.assert_frame_equal(found, true)
    edit(data / "train.csv", lambda t: t.assign(wl_1=[0.01, 0.02, 0.04, 0.03]))
    assert read_labels(data)["wl_1"].isna().tolist() == [False, True, False], "two truths are none"


@pytest.mark.parametrize("value", ["-0.01", "0", "1.4", "nan", "--"])
def test_a_label_that_is_no_depth_is_unknown(data, value):
    edit(data / "train.csv", lambda t: t.astype(object).assign(wl_9=[value, 0.02, 0.02]))
    assert read_labels(data)["wl_9"].isna().tolist() == [True, False, False]


def test_labels_in_other_units_are_an_error(data):
    """Guards against training on per cent."""
    edit(data / "train.csv", lambda t: (t * 100).assign(planet_id=t["planet_id"]))
    with pytest.raises(DataError, match="per cent"):
        read_labels(data)
    assert read_spectra(data / "train.csv").iloc[0, 0] == pytest.approx(2.0)


def test_wavelengths_by_name(data):
    true = read_wavelengths(data)
    told = []
    edit(
        data / "wavelengths.csv",
        lambda t: t.copy().assign(note=1)[["note", *t.columns[100:], *t.columns[:100]]],
    )
    np.testing.assert_array_equal(read_wavelengths(data, tell=told.append), true)
    assert "names decide" in told[0]
    edit(data / "wavelengths.csv", lambda t: t.assign(wl_9=t["wl_8"]))
    with pytest.raises(DataError, match="not in order"):
        read_wavelengths(data)
    edit(data / "wavelengths.csv", lambda t: t.assign(wl_9="x"))
    with pytest.raises(DataError, match="not a number"):
        read_wavelengths(data)


def test_one_row_of_converters_per_planet(data):
    """Guards against the first row for all planets: score 0.41 instead of 0.67."""
    rows = [
        {"planet_id": float(p), **dict(zip(ADC, (-1000.0, gain, -1000.0, gain)))}
        for p, gain in ((7, 0.4), (11, 0.5), (7, 0.4))
    ]
    pd.DataFrame(rows).to_csv(data / "adc_info.csv", index=False)
    told = []
    adc = read_adc_info(data, tell=told.append)
    assert adc.of(7).fgs1_gain == 0.4 and adc.of(11).airs_gain == 0.5 and adc.of(11).airs_offset == -1000.0
    with pytest.raises(DataError, match="planet 5"):
        adc.of(5)
    assert "each planet is read with its own row" in " ".join(told)
    pd.DataFrame([*rows, {**rows[0], "FGS1_adc_gain": 0.9}]).to_csv(data / "adc_info.csv", index=False)
    with pytest.raises(DataError, match="contradict"):
        read_adc_info(data).of(7)
    assert read_adc_info(data).of(11).fgs1_gain == 0.5, "the others are read"


def test_rows_of_converters_without_ids(data):
    row = dict(zip(ADC, (-1000.0, 0.4, -1000.0, 0.4)))
    pd.DataFrame([row, row]).to_csv(data / "adc_info.csv", index=False)
    assert read_adc_info(data).of(3).fgs1_gain == 0.4
    pd.DataFrame([row, {**row, "FGS1_adc_gain": 0.5}]).to_csv(data / "adc_info.csv", index=False)
    with pytest.raises(DataError, match="no planet_id to match"):
        read_adc_info(data)


def test_the_same_light_through_another_converter_is_the_same(data, kit):
    """Guards against a per-planet table that is read and not used."""
    visits = {v.planet_id: v for v in find_visits(data, "train")}
    true = extract_light_curve(visits[7])
    for sensor in ("FGS1", "AIRS-CH0"):
        path = visits[7].folder / f"{sensor}_signal_0.parquet"
        frames = pq.read_table(path).to_pandas().to_numpy()
        path.unlink()
        kit.parquet(np.round(frames * 0.7).astype(np.uint16), path)
    rows = [
        {"planet_id": p, **dict(zip(ADC, (kit.OFFSET, kit.GAIN * f, kit.OFFSET, kit.GAIN * f)))}
        for p, f in ((11, 1.0), (7, 0.7), (5, 1.0))
    ]
    pd.DataFrame(rows).to_csv(data / "adc_info.csv", index=False)
    found = extract_light_curve(visits[7])
    np.testing.assert_allclose(found.flux.mean(0), true.flux.mean(0), rtol=2e-3)


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
