"""What counts as a change of what a light curve was made from."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.detector.building import build_light_curves
from spectramind_kit.detector.instrument import AIRS, CALIBRATION_PRODUCTS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.shared_tables import read_shared_tables

PLANETS = (11, 12, 13)


def _change_a_byte(path, place):
    """Another value, the same size: what a corrected file of the competition looks like."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


FILES = [(sensor.name, product) for sensor in (FGS1, AIRS) for product in ("signal", *CALIBRATION_PRODUCTS)]


@pytest.mark.parametrize("sensor, product", FILES)
def test_each_of_the_twelve_files_counts(built, sensor, product):
    """Guards against a corrected calibration file, or signal, of the same size whose planet keeps its old
    light curve."""
    data, store = built
    files, other = find_visits(data, "train")[1], find_visits(data, "train")[0]
    instrument = {s.name: s for s in (FGS1, AIRS)}[sensor]
    path = files.signal(instrument) if product == "signal" else files.calibration(instrument, product)
    content, size = path.read_bytes(), path.stat().st_size
    try:
        _change_a_byte(path, 0.4)
        assert path.stat().st_size == size
        name = path.relative_to(files.folder).as_posix()
        assert store.is_current(files, read_shared_tables(data)) == (False, f"stale ({name} has changed)")
        assert store.is_current(other, read_shared_tables(data)) == (True, "")
    finally:
        path.write_bytes(content)  # with a new time stamp: not a change
    assert store.is_current(files, read_shared_tables(data)) == (True, "")


def test_the_shared_tables_count(built, tmp_path):
    """Guards against light curves in the units of another ADC, or at the times of another axis_info."""
    import dataclasses

    data, store = built
    files = find_visits(data, "train")[0]
    tables = read_shared_tables(data)
    axis = dataclasses.replace(tables.axis, airs_time_h=tables.axis.airs_time_h + 1e-4)
    adc = dataclasses.replace(tables.adc, airs_gain=tables.adc.airs_gain * 1.01)
    of_others = dataclasses.replace(tables.adc, by_planet={4711: adc})
    assert store.is_current(files, dataclasses.replace(tables, adc=of_others)) == (True, "")
    for changed, name in (
        (dataclasses.replace(tables, axis=axis), "axis_info"),
        (dataclasses.replace(tables, adc=adc), "adc_info"),
        (dataclasses.replace(tables, wavelength_um=tables.wavelength_um + 1e-6), "wavelengths"),
    ):
        assert store.is_current(files, changed) == (False, f"stale ({name} has changed)")
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    pd.read_csv(copy / "adc_info.csv").assign(**{"AIRS-CH0_adc_gain": 0.44}).to_csv(
        copy / "adc_info.csv", index=False
    )
    report = build_light_curves(copy, tmp_path / "store", workers=1, planets=[11])
    shutil.copytree(store.folder, tmp_path / "old" / store.settings_digest)
    again = build_light_curves(copy, tmp_path / "old", workers=1, planets=[11])
    assert again.done == [(11, 0)] and not again.reused
    np.testing.assert_array_equal(again.store.load(11, 0).flux, report.store.load(11, 0).flux)


def test_a_copy_is_current_and_so_is_a_store_without_the_raw_data(built, tmp_path):
    """Guards against a store made again for nothing: after a copy, or in a kernel that has the store and not
    the frames."""
    data, store = built
    copy = tmp_path / "elsewhere"
    shutil.copytree(data, copy, copy_function=shutil.copyfile)
    visits, tables = find_visits(copy, "train"), read_shared_tables(copy)
    assert set(store.check(visits, tables).values()) == {(True, "")}
    for planet in copy.glob("train/*"):
        shutil.rmtree(planet)
        planet.mkdir()
    assert set(store.check(visits, tables).values()) == {(True, "")}
    assert store.check(find_visits(copy, "train"), None)
