from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator import Effects, Settings, draw_visits, noise_free
from spectramind_kit.simulator.competition import maps_of_visit
from spectramind_kit.simulator.constants import AIRS, FGS1, SENSORS
from spectramind_kit.simulator.exposures import simulate_exposures, star_only
from spectramind_kit.simulator.focal_plane import airs_profiles
from spectramind_kit.simulator.frames import axis_times_h, timing


@pytest.fixture(scope="module")
def visit():
    return draw_visits(21, "train", 0)[0]


@pytest.fixture(scope="module")
def maps():
    return maps_of_visit(21, "train", 0, 0)


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


def test_calibration_undoes_the_detector(visit, maps):
    """Guards against an effect that the recipe cannot invert: without noise the electrons of every pixel come
    back."""
    settings = replace(noise_free(Settings(cadence="full")))
    settings = replace(settings, effects=settings.effects.without("jitter", "foreground", "gain_drift"))
    star = star_only(visit)
    electrons = simulate_exposures(
        star, maps[0], AIRS, pairs=slice(0, 4), seed=1, settings=settings
    ).electrons.mean(0)
    expected = airs_profiles(star.grid_um[1:]).value * star.level[1:] * AIRS.exposure_s
    error = (electrons - expected)[~maps[0].dead_mask]
    bright = expected[~maps[0].dead_mask] > 2_000
    # the ADC's rounding, and the measured flat, which is wrong by 5e-4
    assert (
        np.abs(error[~bright]).max() < 8.0
        and np.abs(error[bright] / expected[~maps[0].dead_mask][bright]).max() < 3e-3
    )


def test_pair_timing_matches_axis_info():
    """Guards against time axes that disagree with the frames: real pairs are 0.1 s apart, every 4.8 s and 0.4
    s."""
    airs, fgs1 = axis_times_h(AIRS, "full") * 3600, axis_times_h(FGS1, "full") * 3600
    assert len(airs) == 11_250 and len(fgs1) == 135_000
    assert airs[:4] == pytest.approx([0.1, 0.2, 4.9, 5.0]) and fgs1[:4] == pytest.approx([0.1, 0.2, 0.5, 0.6])
    for sensor in SENSORS:
        reduced = axis_times_h(sensor, "reduced")
        assert len(reduced) == 2 * timing(sensor, "reduced").pairs and 0 < reduced[0] < reduced[-1] < 7.5
        full = axis_times_h(sensor, "full")
        assert reduced[0::2].mean() == pytest.approx(full[0::2].mean(), abs=1e-9)


def test_the_real_axis_is_reproduced(reference_data):
    """Guards against a time or wavelength axis that is not the hosts'."""
    import pandas as pd

    from spectramind_kit.simulator.wavelengths import airs_column_wavelengths

    axis = pd.read_parquet(reference_data / "metadata" / "axis_info.parquet")
    for sensor in SENSORS:
        assert axis_times_h(sensor, "full") == pytest.approx(
            axis[f"{sensor.name}-axis0-h"].dropna().to_numpy(), abs=2e-9
        )
    assert airs_column_wavelengths() == pytest.approx(axis["AIRS-CH0-axis2-um"].dropna().to_numpy(), abs=1e-9)


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


def test_totals_of_the_reference_star(visit, maps):
    """Guards against a wrong flux scale: a star set to 16.26 M and 221 k e⁻ per exposure is read back as such
    within 2 %."""
    star = star_only(visit, fgs1=2.21e5, airs=16.26e6)
    airs = simulate_exposures(star, maps[0], AIRS, pairs=slice(0, 5), seed=1).electrons[:, :, AIRS.column_cut]
    fgs1 = simulate_exposures(star, maps[1], FGS1, pairs=slice(0, 50), seed=1).electrons
    assert np.nansum(airs, axis=(1, 2)).mean() == pytest.approx(16.26e6, rel=0.02)
    assert np.nansum(fgs1, axis=(1, 2)).mean() == pytest.approx(2.21e5, rel=0.02)


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
