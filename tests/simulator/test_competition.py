from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.detector.extraction import extract_light_curve
from spectramind_kit.detector.layout import find_visits, read_labels, read_star_info
from spectramind_kit.errors import DataError
from spectramind_kit.simulator import (
    Settings,
    noise_free,
    open_simulation,
    simulate_competition,
    true_light_curve,
)
from spectramind_kit.simulator import competition as competition_module


def test_tables_agree_with_the_folders(small):
    """Guards against labels or catalogue rows of other planets than those in the folders."""
    labels, stars = read_labels(small.data_dir), read_star_info(small.data_dir, "train")
    folders = {int(p.name) for p in (small.data_dir / "train").iterdir()}
    assert set(labels.index) == set(stars.index) == folders == set(small.train_ids)
    assert list(labels.index) == sorted(labels.index)
    for planet_id in small.train_ids:
        assert labels.loc[planet_id].to_numpy() == pytest.approx(small.visits(planet_id)[0].label)
    raw = (small.data_dir / "test_star_info.csv").read_text().splitlines()[1]
    assert raw.split(",")[0].endswith(".0")  # the hosts write these ids as float text
    truth = pd.read_csv(small.truth_path)
    assert set(truth.planet_id) == set(small.test_ids) and small.data_dir not in small.truth_path.parents
    assert not (small.data_dir / "test.csv").exists()
    assert pd.read_csv(small.data_dir / "sample_submission.csv").shape == (1, 567)


def test_a_planet_depends_neither_on_how_many_nor_on_jobs(small, tmp_path):
    """Guards against data that change when more planets are asked for, or with the number of workers."""
    alone = simulate_competition(
        tmp_path, n_train=1, n_test=0, seed=12, jobs=1, settings=Settings(two_visit_fraction=0.4)
    )
    planet = str(alone.train_ids[0])
    assert alone.train_ids[0] == small.train_ids[0]
    for name in ("AIRS-CH0_signal_0.parquet", "FGS1_calibration_0/flat.parquet"):
        one, other = (pd.read_parquet(made.data_dir / "train" / planet / name) for made in (alone, small))
        pd.testing.assert_frame_equal(one, other)


def test_interrupted_runs_continue(tmp_path, monkeypatch):
    """Guards against half-written planets after an interruption, and against making finished ones again."""
    made, original = [], competition_module.writer.write_signal

    def failing(folder, instrument, visit, frames):
        made.append(folder)
        if len(made) == 4:
            raise OSError("disk full")
        original(folder, instrument, visit, frames)

    monkeypatch.setattr(competition_module.writer, "write_signal", failing)
    with pytest.raises(OSError, match="disk full"):
        simulate_competition(tmp_path, n_train=2, n_test=0, seed=3, two_visit_fraction=0.0)
    train = tmp_path / "ariel-data-challenge-2025" / "train"
    assert len(list(train.iterdir())) == 1  # the second planet left no trace
    monkeypatch.setattr(competition_module.writer, "write_signal", original)
    before = next(train.iterdir()).stat().st_mtime_ns
    made = simulate_competition(tmp_path, n_train=2, n_test=0, seed=3, two_visit_fraction=0.0)
    assert (train / str(made.train_ids[0])).stat().st_mtime_ns == before and (
        train / str(made.train_ids[1])
    ).is_dir()
    assert not (tmp_path / ".partial").exists()
    assert open_simulation(tmp_path).train_ids == made.train_ids


def test_another_seed_in_the_same_folder_is_refused(small):
    """Guards against a data set mixed from two seeds."""
    root = small.truth_path.parent
    with pytest.raises(DataError, match="another simulation"):
        simulate_competition(root, n_train=3, n_test=2, seed=13, settings=small.settings)


def test_open_simulation_needs_one(tmp_path):
    """Guards against an error that does not say what is missing."""
    with pytest.raises(DataError, match="simulation.json"):
        open_simulation(tmp_path)


def test_no_noise_no_difference(quiet):
    """The inverse test of the chain: frames without noise, through stage 1, give the simulated light curves
    to 1e-4."""
    files = find_visits(quiet.data_dir, "train")[0]
    curve = extract_light_curve(files)
    truth = true_light_curve(quiet.visits(files.planet_id)[0], curve.time, exposure_h=curve.exposure_h)
    relative = (curve.flux / curve.flux.mean(0)) / (truth / truth.mean(0)) - 1.0
    white = curve.white_airs / truth[:, 1:].sum(1)
    assert np.abs(white / white.mean() - 1.0).max() < 1e-4
    # FGS1: with the real pointing, so the jitter model is tested too
    assert np.abs(relative[:, 0]).max() < 1e-4
    assert np.median(relative.std(0)) < 1e-4


def test_an_effect_that_is_off_has_a_calibration_file_that_says_so(tmp_path):
    """Guards against a calibration that corrects what was never there: with non-linearity, flat, dark and
    dead pixels off the chain still gives the light curves to 1e-4."""
    settings = noise_free(Settings(two_visit_fraction=0.0))
    settings = replace(
        settings,
        effects=settings.effects.without("nonlinearity", "flat_field", "dark", "dead_pixels", "foreground"),
    )
    made = simulate_competition(tmp_path, n_train=1, n_test=0, seed=12, settings=settings)
    files = find_visits(made.data_dir, "train")[0]
    curve = extract_light_curve(files)
    truth = true_light_curve(made.visits(files.planet_id)[0], curve.time, exposure_h=curve.exposure_h)
    white = curve.white_airs / truth[:, 1:].sum(1)
    assert np.abs(white / white.mean() - 1.0).max() < 1e-4


def test_pulls_of_noisy_visits(small):
    """Noise in, noise out: residuals of stage 1 in units of its own flux_err have mean 0 and width 1."""
    means, widths = [], []
    for files in find_visits(small.data_dir, "train"):
        curve = extract_light_curve(files)
        truth = true_light_curve(
            small.visits(files.planet_id)[files.visit], curve.time, exposure_h=curve.exposure_h
        )
        scale = (curve.flux / curve.flux_err**2 * truth).sum(0) / (truth**2 / curve.flux_err**2).sum(0)
        pull = (curve.flux - truth * scale) / curve.flux_err
        means.append(pull.mean())
        widths.append(pull[:, 1:].std())
    n = 187 * 282 * len(widths)
    assert np.abs(np.mean(means)) < 5 / np.sqrt(n) * 20  # common modes (pointing) correlate wavelengths
    assert np.mean(widths) == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_full_cadence_visit(tmp_path):
    """Guards against frame counts that only the reduced cadence has, and against a visit that costs minutes
    or gigabytes."""
    import resource
    import time

    start = time.process_time()
    made = simulate_competition(tmp_path, n_train=1, n_test=0, seed=1, cadence="full", two_visit_fraction=0.0)
    assert time.process_time() - start < 50.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2e6 * 1.05
    files = find_visits(made.data_dir, "train")[0]
    curve = extract_light_curve(files)
    truth = true_light_curve(made.visits(files.planet_id)[0], curve.time, exposure_h=curve.exposure_h)
    white = curve.white_airs / truth[:, 1:].sum(1)
    assert np.diff(white / white.mean()).std() / np.sqrt(2) < 1e-4
    shutil.rmtree(tmp_path)
