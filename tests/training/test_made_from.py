"""Measurements and trainings are used again while their inputs are the same, and made again, with the reason,
when one is not."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.training.made_from import why_measure_again
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from tests.stale_run import SMALL, TRAIN, make_small_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = make_small_run(tmp_path_factory.mktemp("small"))
    run.train()
    return run


@pytest.fixture
def small(trained, tmp_path):
    """The same run in a folder of the test's own."""
    shutil.copytree(trained.root.parent, tmp_path / "copy")
    return dataclasses.replace(
        trained,
        root=tmp_path / "copy/run",
        data_dir=tmp_path / "copy/data",
        light_curves={k: dict(v) for k, v in trained.light_curves.items()},
        stars={k: v.copy() for k, v in trained.stars.items()},
        labels=trained.labels.copy(),
    )


def stamps(run, pattern="anchor/*/*.npz"):
    return {path.stem: path.stat().st_mtime_ns for path in run.root.glob(pattern)}


def changed(run, before):
    return sorted(int(name) for name, stamp in stamps(run).items() if before.get(name) != stamp)


def measure(run, **options):
    run.write_tables()
    return run.measure(run.open("train", **options))


def test_nothing_changed_nothing_measured(small, capsys):
    """Guards the restart: what is finished is read."""
    before = stamps(small)
    measure(small)
    assert changed(small, before) == [] and "measured again" not in capsys.readouterr().out


def change_flux(run):
    curve = run.light_curves["train"][3][0]
    run.light_curves["train"][3] = [dataclasses.replace(curve, flux=curve.flux * np.float32(1.0001))]
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
    run.stars["train"].loc[3, "sma"] *= 1.2
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
def test_what_one_planet_is_made_from(small, capsys, change):
    """Guards against 5113 ± 28 ppm submitted where 6140 is true: a planet whose files or star were corrected
    keeps its anchor."""
    before, line = stamps(small), change(small)
    capsys.readouterr()
    measured = measure(small)
    assert changed(small, before) == [3] and sorted(measured) == list(TRAIN)
    assert [text for text in capsys.readouterr().out.splitlines() if "measured again" in text] == [line]
    again = stamps(small)
    measure(small)
    assert changed(small, again) == [], "made again once, not each time"


def test_a_stale_measurement_does_not_outlive_a_failure(small, monkeypatch):
    """Guards against the old number being shown (or used next time) where the new one could not be made."""
    from spectramind_kit.training import measurements

    change_flux(small)
    monkeypatch.setattr(
        measurements, "run_jobs", lambda jobs, **_: iter([(job.planet_id, "broken") for job in jobs])
    )
    measured = measure(small)
    assert 3 not in measured and not list(small.root.glob("anchor/*/3.npz"))


def test_another_recipe_measures_every_planet_again_in_one_line(small, monkeypatch, capsys):
    """Guards against numbers of an older version of the code, and against a log of a thousand lines."""
    from spectramind_kit.training import made_from

    before = stamps(small)
    monkeypatch.setattr(made_from, "RECIPE_VERSION", -1)
    monkeypatch.setattr(made_from, "_SAID_ONE_BY_ONE", 4)
    measure(small)
    assert changed(small, before) == list(TRAIN)
    said = [line for line in capsys.readouterr().out.splitlines() if "measured again" in line]
    assert said == ["8 planets (1, 2, 3 …): the kit measures differently now; measured again"]


def test_measurements_of_earlier_kernels(small, tmp_path):
    """Guards both ways: those that fit are used, also where the own folder holds a stale one; those that do
    not are not."""
    earlier = small.root
    change_flux(small)
    fresh = dataclasses.replace(small, root=tmp_path / "fresh")
    measure(fresh, earlier=[earlier])
    assert sorted(stamps(fresh)) == ["3"], "seven planets are those of the earlier kernel"
    own = next(fresh.root.glob("anchor/*/3.npz"))
    target = own.with_name("4.npz")
    # stale, beside a good one in the earlier kernel
    dataclasses.replace(DepthMeasurement.load(own), planet_id=4).save(target)
    measure(fresh, earlier=[earlier])
    assert stamps(fresh).get("4") == target.stat().st_mtime_ns
    assert len(list(earlier.glob("anchor/*/*.npz"))) == 8, "an earlier kernel's folder is read-only"


def test_a_light_curve_counts_whole():
    """Guards against a field of the light curve that nobody looks at."""
    from tests.transit.synthetic import make_light_curve, make_planet

    curve = make_light_curve(make_planet(0), seed=0, n_times=20)
    prints = {fingerprint(curve)}
    flux = curve.flux.copy()
    flux[3, 7] = np.nan
    for other in (
        {"flux": flux},
        {"flags": ("a",)},
        {"info": {"x": 1.0}},
        {"exposure_h": 1.0},
        {"visit": 2},
        {"wavelength_um": curve.wavelength_um + 1e-9},
        {"time": curve.time[::-1]},
        {"flux_err": curve.flux_err * 2},
    ):
        prints.add(fingerprint(dataclasses.replace(curve, **other)))
    assert len(prints) == 9
    stored = {"light curve of visit 0": "a", "light curve of visit 1": "b"}
    assert why_measure_again(stored, {"light curve of visit 0": "a"}) == "its light curve of visit 1 is gone"


def test_the_bundle_says_what_it_was_made_from(small):
    """Guards the chain: exactly the inputs that changed have another fingerprint."""
    bundle = small.root / "bundle/bundle.json"
    first = read_json(bundle)
    small.train()
    assert read_json(bundle)["made_from"] == first["made_from"] and first["made_from"]["seed"] == "0"

    def differs():
        small.train()
        now = read_json(bundle)["made_from"]
        return sorted(name for name in now if now[name] != first["made_from"][name])

    small.labels.iloc[2, 100] *= 1.01
    assert differs() == ["labels"]
    small.labels.iloc[2, 100] /= 1.01
    change_star(small)
    assert differs() == ["measurements"]


@pytest.mark.parametrize(
    "change, why", [("label", "labels"), ("light curve", "measurements"), ("nothing", "")]
)
def test_folds_are_trained_again_when_an_input_changes(tmp_path, capsys, monkeypatch, change, why):
    """Guards against checkpoints of other labels or light curves that are taken as finished, and against
    folds trained twice."""
    torch.set_num_threads(1)
    run = make_small_run(tmp_path)
    run.overrides = [*SMALL, "model/size=small", "train.epochs=1", "train.warm_start_epochs=0"]
    first = run.train()
    if change == "label":
        run.labels.iloc[0, 5] *= 1.5
    elif change == "light curve":
        change_flux(run)
    capsys.readouterr()
    again = run.train()
    trained_anew = again.digest != first.digest
    assert trained_anew == (change != "nothing")
    said = [line for line in capsys.readouterr().out.splitlines() if "trained afresh" in line]
    assert said == (
        [f"the folds are trained afresh, their inputs are not those of the last training: {why} changed"]
        if why
        else []
    )
    same = all(
        torch.equal(a, b) for a, b in zip(first.folds[0].state.values(), again.folds[0].state.values())
    )
    assert same == (change == "nothing")
