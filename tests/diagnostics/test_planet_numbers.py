"""Numbers by planet: the official score, the fit's orbit, and nothing made up where nothing is known."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.planet_numbers import PlanetNumbers, planet_numbers, write_planets
from spectramind_kit.diagnostics.visits import stored_measurement
from spectramind_kit.run_folder import open_run
from tests.run_example import write_predictions


def test_every_planet_once_the_worst_of_each_set_first(run):
    """Guards against a planet that is lost, and a list to look at that begins with the good ones."""
    run.oof.depth_mean[17] += 5e-3
    numbers = planet_numbers(run)
    assert numbers[0].set == "test" and numbers[-1].set == "train"
    assert sorted(one.planet_id for one in numbers) == sorted([*run.test.planet_id, *run.oof.planet_id])
    worst = next(one for one in numbers if one.set == "train")
    assert worst.planet_id == run.oof.planet_id[17] and worst.fgs1_error_ppm == pytest.approx(5000, abs=600)
    scores = {one.planet_id: one.score for one in numbers}
    official = run.metric.planet_scores(run.oof.depth, run.oof.depth_mean, run.oof.depth_sigma)
    np.testing.assert_allclose([scores[planet] for planet in run.oof.planet_id], official)


def test_the_orbit_is_the_fits(measured_run, tmp_path):
    """Guards against an orbit of another planet, and minutes for hours."""
    planets = sorted(int(path.stem) for path in measured_run.glob("anchor/*/*.npz"))
    path = measured_run.root / "predictions/test.npz"
    write_predictions(path, n=2, first_id=planets[0], rng=np.random.default_rng(0))
    run = open_run(measured_run.root)
    run = replace(run, test=replace(run.test, planet_id=np.array(planets)))
    for one in planet_numbers(run):
        measured = stored_measurement(run, one.planet_id)
        fit = measured.visits[0]
        assert (one.period_d, one.duration_h) == (
            fit.period_d,
            fit.duration_h,
        ) and one.flags == measured.flags
        assert one.mid_transit_time_h == fit.mid_transit_time and one.visits == len(measured.visits)


def test_without_truth_and_fit_there_is_no_number(run):
    """Guards against a zero that reads as a measurement; a failure is told in its own words."""
    failed = {"submit": {"failed_anchor_test": [{"planet_id": 5001, "error": "no star"}]}}
    blind = replace(open_run(run.root), oof=None, info={"stages": failed})
    numbers = {one.planet_id: one for one in planet_numbers(blind)}
    one = numbers[5001]
    assert np.isnan([one.score, one.fgs1_error_ppm, one.period_d]).all() and one.flags == ("no star",)
    assert numbers[5002].flags == ("no anchor's fit of this planet",)


def test_the_table_holds_all_fields_and_empty_cells(run, tmp_path):
    """Guards against a CSV with "nan", with text cut at a comma, or with a column that is missing."""
    some = [replace(planet_numbers(run)[0], flags=("poor fit", "FGS1: 3 pixels, 12% of the light"))]
    path = write_planets(some, tmp_path / "planets.csv")
    with open(path, newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [*row] == [field.name for field in fields(PlanetNumbers)]
    assert row["flags"] == "poor fit; FGS1: 3 pixels, 12% of the light" and row["period_d"] == ""
    assert float(row["score"]) == pytest.approx(some[0].score, rel=1e-5) and json.loads(row["planet_id"]) > 0
