"""Rows and tables of the rerun, whatever state the data are in."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.inference import rerun_inputs
from spectramind_kit.inference.rerun_inputs import in_order, planets_of_test, read_inputs
from tests.inference.rerun_case import PLANETS, STAR, findings, rows, write_sample
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet


@pytest.mark.parametrize(
    "sample, expected", [([300, 5, 11], [300, 5, 11]), ([300], [5, 11, 300]), (None, [5, 11, 300])]
)
def test_rows_come_from_the_test_folder(run, sample, expected):
    """Guards against a stale sample_submission.csv: at the rerun it may list the one visible planet."""
    if sample:
        write_sample(run, sample)
    assert planets_of_test(run.data_dir) == expected


def test_strays_in_the_test_folder_are_no_planets(run):
    """Guards against rows that the host does not know."""
    for name in ("11_1", "inf", "nan", "1e5", "notes", "007", "11.0"):
        (run.data_dir / "test" / name).mkdir()
    assert rows(run) == sorted(PLANETS)
    assert all(name in findings(run) for name in ("11_1", "inf", "1e5", "007"))


@pytest.mark.parametrize("damage", ["empty", "a file", "no folder"])
def test_no_planet_in_the_test_folder(run, damage):
    """The star table names the planets then, the sample next; where nothing does, a header and a word."""
    shutil.rmtree(run.data_dir / "test")
    if damage == "empty":
        (run.data_dir / "test").mkdir()
    elif damage == "a file":
        (run.data_dir / "test").write_text("")
    assert rows(run) == [] and "no test planet is named anywhere" in findings(run)
    write_sample(run, [300, 5, 5])
    assert rows(run) == [300, 5]
    (run.data_dir / "test_star_info.csv").write_text(STAR)
    assert rows(run) == PLANETS and "test_star_info.csv" in findings(run)


@pytest.mark.parametrize(
    "change, expected", [("none", None), ("turned", np.arange(283)[::-1]), ("other", "no bundle")]
)
def test_bins_follow_the_wavelengths_of_this_data_set(run, monkeypatch, change, expected):
    """Guards against spectra in the order of the training where wavelengths.csv has another."""
    prior = SimpleNamespace(wavelength_um=WAVELENGTH)
    bundle = SimpleNamespace(prior=prior, adc=None)
    tables = rerun_inputs.SharedTables.__new__(rerun_inputs.SharedTables)
    here = {"none": WAVELENGTH, "turned": WAVELENGTH[::-1], "other": WAVELENGTH + 0.5}[change]
    object.__setattr__(tables, "wavelength_um", here)
    monkeypatch.setattr(rerun_inputs, "find_bundle", lambda run: bundle)
    for name in ("take_settings", "say_doubts", "stars_of_test"):
        monkeypatch.setattr(rerun_inputs, name, lambda *_: None)
    monkeypatch.setattr(rerun_inputs, "tables_of_test", lambda *_: tables)
    monkeypatch.setattr(rerun_inputs, "replace", lambda tables, **_: tables)
    inputs = read_inputs(run)
    if change == "other":
        assert inputs.bundle is None and "other wavelengths" in findings(run)
    else:
        assert inputs.bundle is bundle
        np.testing.assert_array_equal(inputs.order, expected)


def test_a_light_curve_of_another_order_is_sorted():
    """Guards against a light curve of an earlier kernel whose bins are those of its own wavelengths.csv."""
    curve = make_light_curve(make_planet(0), seed=0, n_times=20)
    turned = in_order(curve, WAVELENGTH[::-1])
    np.testing.assert_array_equal(turned.flux, curve.flux[:, ::-1])
    np.testing.assert_array_equal(turned.wavelength_um, WAVELENGTH[::-1])
    assert in_order(curve, WAVELENGTH + 0.5) is curve
