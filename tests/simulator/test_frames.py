from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator import Effects, Settings
from spectramind_kit.simulator.constants import FGS1, SENSORS
from spectramind_kit.simulator.exposures import simulate_exposures, star_only


def test_each_effect_can_be_switched_off(visit, maps):
    """Guards against switches that do nothing: every one of them changes the frames of at least one
    sensor."""
    everything = Settings(cadence="full")
    # FGS1 is the cheaper one: AIRS is made only where FGS1 shows nothing
    sensors = tuple(zip(SENSORS, maps, strict=True))[::-1]
    pairs = slice(0, 60)
    frames = {
        s.name: simulate_exposures(visit, m, s, pairs=pairs, seed=1, settings=everything).frames
        for s, m in sensors
    }
    for name in Effects.__dataclass_fields__:
        if name == "saturation":
            continue  # no pixel of an ordinary star reaches the full well
        off = replace(everything, effects=everything.effects.without(name))
        assert any(
            not np.array_equal(
                frames[s.name], simulate_exposures(visit, m, s, pairs=pairs, seed=1, settings=off).frames
            )
            for s, m in sensors
        ), name


def test_noise_per_hour_is_that_of_full_cadence(visit, maps):
    """Guards against reduced data that are easier or harder than real ones: the mean of 30 full frames and a
    reduced frame agree."""
    star = star_only(visit)
    quiet = Settings().effects.without("jitter", "cosmic_rays", "gain_drift")
    full = simulate_exposures(
        star, maps[1], FGS1, pairs=slice(0, 6000), seed=1, settings=Settings(cadence="full", effects=quiet)
    ).electrons
    reduced = simulate_exposures(
        star, maps[1], FGS1, pairs=slice(0, 1000), seed=2, settings=Settings(effects=quiet)
    ).electrons
    n = FGS1.pairs / 2256
    totals = [np.nansum(cube[:, 8:24, 8:24], axis=(1, 2)) for cube in (full, reduced)]
    assert totals[1].mean() == pytest.approx(totals[0].mean(), rel=1e-4)
    assert totals[1].std() * np.sqrt(n) == pytest.approx(totals[0].std(), rel=0.06)
    pixel = [np.std(cube, axis=0)[12:18, 12:18] for cube in (full, reduced)]  # NaN in dead pixels
    assert np.nanmedian(pixel[1] / pixel[0]) * np.sqrt(n) == pytest.approx(1.0, rel=0.05)


def test_raw_frames_look_like_the_real_ones(visit, maps, reference_data):
    """Guards against frames that no telescope wrote: ADU of first and last reads, and their scatter in time,
    against 50 real frames."""
    real = np.load(reference_data / "raw_frames_342072318_first50.npz")
    star = star_only(visit, fgs1=2.21e5, airs=16.26e6)
    for sensor, sensor_maps, key in zip(SENSORS, maps, ("AIRS", "FGS1"), strict=True):
        frames = simulate_exposures(star, sensor_maps, sensor, pairs=slice(0, 25), seed=1).frames
        for read in (0, 1):
            ours, theirs = (
                np.percentile(reads[read::2], [1, 25, 50, 75, 99]) for reads in (frames, real[key])
            )
            assert ours == pytest.approx(theirs, rel=0.15), (sensor.name, read)
            assert ours[1:4] == pytest.approx(theirs[1:4], rel=0.03), (sensor.name, read)
        ours, theirs = (
            np.median(np.diff(reads.astype(float)[0::2], axis=0).std(0)) for reads in (frames, real[key])
        )
        assert ours == pytest.approx(theirs, rel=0.06), sensor.name
        ours, theirs = (
            np.percentile((reads[1::2].astype(float) - reads[0::2]).std(0), [5, 50])
            for reads in (frames, real[key])
        )
        assert ours == pytest.approx(theirs, rel=0.1), sensor.name
