"""Measurements are used again while their inputs are the same, and made again, with the reason, when not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from tests.stale_run import TRAIN


def stamps(run, pattern="anchor/*/*.npz"):
    return {path.stem: path.stat().st_mtime_ns for path in run.root.glob(pattern)}


def changed(run, before):
    return sorted(int(name) for name, stamp in stamps(run).items() if before.get(name) != stamp)


def measure(run, **options):
    run.write_tables()
    return run.measure(run.open("train", **options))


def test_nothing_changed_nothing_measured(small_run, capsys):
    """Guards the restart: what is finished is read."""
    before = stamps(small_run)
    measure(small_run)
    assert changed(small_run, before) == [] and "measured again" not in capsys.readouterr().out


def change_flux(run):
    run.change_flux(3)
    return "planet 3: its light curve of visit 0 has changed; measured again"


def change_flag(run):
    curve = run.light_curves["train"][3][0]
    run.light_curves["train"][3] = [dataclasses.replace(curve, flags=("saturated",))]
    return "planet 3: its light curve of visit 0 has changed; measured again"


def change_error(run):
    curve = run.light_curves["train"][3][0]
    run.light_curves["train"][3] = [dataclasses.replace(curve, flux_err=curve.flux_err * np.float32(2))]
    return "planet 3: its light curve of visit 0 has changed; measured again"


def change_star(run):
    run.change_star(3)
    return "planet 3: its row of the star table has changed; measured again"


def add_visit(run):
    curve = run.light_curves["train"][3][0]
    run.light_curves["train"][3] = [curve, dataclasses.replace(curve, visit=1)]
    return "planet 3: its light curve of visit 1 is new; measured again"


def cut_file(run):
    path = next(run.root.glob("anchor/*/3.npz"))
    path.write_bytes(path.read_bytes()[:-500])
    return (
        "planet 3: its stored measurement cannot be used (a depth measurement cannot be read); measured again"
    )


def older_kit(run):
    path = next(run.root.glob("anchor/*/3.npz"))
    dataclasses.replace(DepthMeasurement.load(path), made_from={}).save(path)
    return "planet 3: its measurement was made by an earlier version of the kit; measured again"


@pytest.mark.parametrize(
    "change", [change_flux, change_flag, change_error, change_star, add_visit, cut_file, older_kit]
)
def test_what_one_planet_is_made_from(small_run, capsys, change):
    """Guards against 5113 ± 28 ppm submitted where 6140 is true: a planet whose files or star were corrected
    keeps its anchor."""
    before, line = stamps(small_run), change(small_run)
    capsys.readouterr()
    measured = measure(small_run)
    assert changed(small_run, before) == [3] and sorted(measured) == list(TRAIN)
    assert [text for text in capsys.readouterr().out.splitlines() if "measured again" in text] == [line]
    again = stamps(small_run)
    measure(small_run)
    assert changed(small_run, again) == [], "made again once, not each time"


def test_a_stale_measurement_does_not_outlive_a_failure(small_run, monkeypatch):
    """Guards against the old number being shown (or used next time) where the new one could not be made."""
    from spectramind_kit.training import measurements

    change_flux(small_run)
    monkeypatch.setattr(
        measurements, "run_jobs", lambda jobs, **_: iter([(job.planet_id, "broken") for job in jobs])
    )
    measured = measure(small_run)
    assert 3 not in measured and not list(small_run.root.glob("anchor/*/3.npz"))


def test_another_recipe_measures_every_planet_again_in_one_line(small_run, monkeypatch, capsys):
    """Guards against numbers of an older version of the code, and against a log of a thousand lines."""
    from spectramind_kit.training import made_from

    before = stamps(small_run)
    monkeypatch.setattr(made_from, "RECIPE_VERSION", -1)
    monkeypatch.setattr(made_from, "_SAID_ONE_BY_ONE", 4)
    measure(small_run)
    assert changed(small_run, before) == list(TRAIN)
    said = [line for line in capsys.readouterr().out.splitlines() if "measured again" in line]
    assert said == ["8 planets (1, 2, 3 …): the kit measures differently now; measured again"]


def test_measurements_of_earlier_kernels(small_run, tmp_path):
    """Guards both ways: those that fit are used, also where the own folder holds a stale one; those that do
    not are not."""
    earlier, before = small_run.root, stamps(small_run)
    change_flux(small_run)
    fresh = dataclasses.replace(small_run, root=tmp_path / "fresh")
    measure(fresh, earlier=[earlier])
    assert sorted(stamps(fresh)) == ["3"], "seven planets are those of the earlier kernel"
    own = next(fresh.root.glob("anchor/*/3.npz"))
    target = own.with_name("4.npz")
    # stale, beside a good one in the earlier kernel
    dataclasses.replace(DepthMeasurement.load(own), planet_id=4).save(target)
    measure(fresh, earlier=[earlier])
    assert stamps(fresh).get("4") == target.stat().st_mtime_ns
    assert stamps(small_run) == before, "an earlier kernel's folder is read-only"


def test_a_planet_without_a_row_in_the_star_table_is_measured_and_named(small_run, capsys):
    """Guards against a planet that is lost for a line in a table, and against one measured with medians
    silently."""
    small_run.stars["train"] = small_run.stars["train"].drop(index=[3])
    assert sorted(measure(small_run)) == list(TRAIN)
    assert "star table: no row for 1 planet (3); measured with medians" in capsys.readouterr().out
    stage = read_json(small_run.root / "run.json")["stages"]["train"]
    assert [entry["planet_id"] for entry in stage["failed_star_table_train"]] == [3]


def test_an_empty_star_table_measures_every_planet(small_run):
    """Guards against medians of nothing, where 03_submit could not read the table."""
    run = small_run.open("submit")
    curves = small_run.light_curves["test"]
    from spectramind_kit.training.measurements import measure_planets

    assert sorted(measure_planets(run, curves, stars=pd.DataFrame(), split="test", workers=1)) == sorted(
        curves
    )
