"""Converters: one row for all, or one for each planet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.adc_info import read_adc_info
from spectramind_kit.detector.extraction import extract_light_curve
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.errors import DataError

ADC = ["FGS1_adc_offset", "FGS1_adc_gain", "AIRS-CH0_adc_offset", "AIRS-CH0_adc_gain"]


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


def test_converters_that_are_wrong_say_so(data):
    """Guards against a KeyError far from the table that caused it, and a division by a gain of zero."""
    pd.DataFrame({"FGS1_adc_gain": [0.4]}).to_csv(data / "adc_info.csv")
    with pytest.raises(DataError, match="FGS1_adc_offset"):
        read_adc_info(data)
    pd.DataFrame([dict(zip(ADC, (0, 0, 0, 1)))]).to_csv(data / "adc_info.csv")
    with pytest.raises(DataError, match="impossible value"):
        read_adc_info(data)
