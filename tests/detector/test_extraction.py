"""Stage 1 for one visit: frames with a known transit, and the kit's simulator, whose truth is known."""

from __future__ import annotations

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.extraction import extract_light_curve, first_light_curve
from spectramind_kit.detector.instrument import AIRS, FGS1, INSTRUMENTS
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.noise import measure_scatter
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.errors import DataError

simulator = pytest.importorskip("spectramind_kit.simulator.competition")
from spectramind_kit.simulator.settings import Settings, noise_free  # noqa: E402
from spectramind_kit.simulator.star_flux import true_light_curve  # noqa: E402


def depth_of(lc: LightCurve, kit) -> np.ndarray:
    """(283,) 1 − mean in transit / mean out of it, away from the box's edges."""
    end = kit.frame_times(kit.Shape())[0][-2]
    inside = (lc.time > end / 3 + 0.1) & (lc.time < 2 * end / 3 - 0.1)
    outside = (lc.time < end / 3 - 0.1) | (lc.time > 2 * end / 3 + 0.1)
    return 1 - lc.flux[inside].mean(axis=0, dtype=float) / lc.flux[outside].mean(axis=0, dtype=float)


def test_transit_depth_and_scale(make_competition, kit):
    """Guards the whole of stage 1: depth, flux scale, order of wavelengths, errors."""
    lc = extract_light_curve(find_visits(make_competition(), "train")[0])
    assert lc.flux.shape == (79, 283) and lc.flux.dtype == np.float32 and lc.time.dtype == np.float64
    assert lc.flags == () and lc.exposure_h == pytest.approx(144 / 3600, rel=1e-6)
    depth = depth_of(lc, kit)
    assert depth[0] == pytest.approx(kit.DEPTH, abs=4e-4)
    assert depth[1:].mean() == pytest.approx(kit.DEPTH, abs=2e-4)
    airs, fgs1 = kit.scene()
    scale = lc.flux[lc.time < 0.8].mean(axis=0)
    # ascending wavelength
    np.testing.assert_allclose(scale[1:], airs[:, 39:321].sum(axis=0)[::-1], rtol=6e-3)
    assert scale[0] == pytest.approx(fgs1.sum(), rel=3e-3)
    from spectramind_kit.detector.noise import measure_scatter

    out = lc.flux[:25] / lc.flux[:25].mean(axis=0)
    ratio = measure_scatter(out) / (lc.flux_err[:25] / lc.flux[:25]).mean(axis=0)
    assert np.median(ratio[1:]) == pytest.approx(1.0, abs=0.1)


def test_a_first_visit_that_cannot_be_read_is_passed_over(make_competition):
    """Guards against 01_light_curves ending at its first planet, for a file of that planet."""
    data = make_competition(planets=(11, 12, 13), fresh=True)
    visits, given = (
        find_visits(data, "train"),
        {"settings": DetectorSettings(), "tables": read_shared_tables(data)},
    )
    visits[0].signal(AIRS).write_bytes(b"cut")
    visits[1].signal(FGS1).unlink()
    files, curve = first_light_curve(visits, **given)
    assert (files.planet_id, curve.planet_id) == (13, 13) and curve.flags == ()
    with pytest.raises(DataError, match="FGS1 missing"):
        first_light_curve(visits[:2], **given)


@pytest.mark.parametrize(
    "settings",
    [
        {"airs_extraction": "optimal", "fgs1_extraction": "sum"},
        {"foreground": "off", "fill_dead": False, "mask_hot": True},
        {"airs_jitter": False, "fgs1_jitter": False, "foreground": "plain"},
        {"exposures_per_bin": 4, "drop_last": 0},
        {"linearity": False, "flat": False, "dark_timing": "off", "cosmic_rays": False},
    ],
)
def test_every_switch_gives_a_light_curve(make_competition, kit, settings):
    """Guards against a switch that breaks the chain."""
    lc = extract_light_curve(
        find_visits(make_competition(), "train")[0], settings=DetectorSettings(**settings)
    )
    assert np.isfinite(lc.flux).all() and (lc.flux_err > 0).all()
    assert depth_of(lc, kit)[1:].mean() == pytest.approx(kit.DEPTH, abs=5e-4)


@pytest.mark.parametrize(
    "shape",
    [{"ratio": 7.3}, {"dtype": "int32", "compression": "snappy", "row_group_size": 50}],
    ids=["ratio 7.3", "int32, snappy, row groups"],
)
def test_other_simulators(make_competition, kit, shape):
    """Guards against assuming the ratio of the sensors, the dtype or the Parquet options of one writer."""
    lc = extract_light_curve(find_visits(make_competition(kit.Shape(**shape)), "train")[0])
    assert depth_of(lc, kit)[0] == pytest.approx(kit.DEPTH, abs=6e-4)
    assert depth_of(lc, kit)[1:].mean() == pytest.approx(kit.DEPTH, abs=2e-4)


def test_saturated_pixels_are_flagged_and_filled(make_competition, kit):
    """Guards against a clipped pixel that flattens the transit in its wavelength."""

    visit = find_visits(make_competition(fresh=True), "train")[0]
    from spectramind_kit.detector.instrument import AIRS

    path = visit.signal(AIRS)
    values = pq.read_table(path).to_pandas().to_numpy().copy()
    values[1::2, 15 * 356 + 200] = 65535
    kit.parquet(values, path)
    lc = extract_light_curve(visit)
    assert any("1 saturated" in f for f in lc.flags) and lc.info["airs_saturated_pixels"] == 1
    assert depth_of(lc, kit)[1 + 320 - 200] == pytest.approx(kit.DEPTH, abs=2e-3)


@pytest.mark.parametrize(
    "sensors,stretch", [((0, 1), (30, 36)), ((0, 1), (3, 6)), ((1,), (30, 36)), ((0,), (39, 40))]
)
def test_exposures_without_light_are_missing_points(make_competition, kit, sensors, stretch):
    """Guards against zeros that are averaged in: their bins are NaN, the rest is what it was, and the flags
    count them."""

    whole = extract_light_curve(find_visits(make_competition(), "train")[0])
    visit = find_visits(make_competition(fresh=True), "train")[0]
    for k in sensors:
        path, ratio = visit.signal(INSTRUMENTS[k]), (1, 12)[k]
        values = pq.read_table(path).to_pandas().to_numpy().copy()
        values[2 * ratio * stretch[0] : 2 * ratio * stretch[1]] = 0
        kit.parquet(values, path)
    lc = extract_light_curve(visit)
    n, lost = stretch[1] - stretch[0], np.zeros(len(lc.time), bool)
    lost[slice(*stretch)] = True
    for k, part in enumerate((slice(1, None), slice(0, 1))):
        missing = np.isnan(lc.flux[:, part]) & np.isnan(lc.flux_err[:, part])
        assert (missing == (lost[:, None] if k in sensors else False)).all()
        count = n * (1, 12)[k]
        flag = f"{INSTRUMENTS[k].name}: {count} exposure{'s' if count > 1 else ''} dropped (no light)"
        assert (flag in lc.flags) == (k in sensors)
        np.testing.assert_allclose(
            np.where(missing, 1.0, lc.flux[:, part] / whole.flux[:, part]), 1.0, atol=4e-3
        )
        good = ~missing.any(axis=1)
        assert np.nanmean(lc.flux_err[good, part] / whole.flux_err[good, part]) == pytest.approx(1.0, abs=0.1)
    assert lc.info["airs_dropped_exposures"] == (n if 0 in sensors else 0)


def test_bins_that_lost_some_exposures_have_larger_errors(make_competition, kit):
    """Guards σ of bins with unequal numbers of exposures: as the root of the number."""

    from spectramind_kit.detector.instrument import FGS1

    visit = find_visits(make_competition(fresh=True), "train")[0]
    path = visit.signal(FGS1)
    values = pq.read_table(path).to_pandas().to_numpy().copy()
    values[24 * 30 : 24 * 30 + 18] = 0  # nine of twelve
    kit.parquet(values, path)
    lc = extract_light_curve(visit)
    assert lc.flux_err[30, 0] / lc.flux_err[31, 0] == pytest.approx(2.0, rel=0.03)
    assert np.isfinite(lc.flux).all()
    assert "FGS1: 9 exposures dropped (no light)" in lc.flags


@pytest.mark.parametrize("light", (-3, 0, 1))
def test_frames_without_a_star_are_an_error(make_competition, kit, light):
    """Guards against a light curve of noise, and of a detector that is evenly lit. One such sensor leaves the
    other."""
    visit = find_visits(make_competition(fresh=True), "train")[0]

    rng = np.random.default_rng(0)

    def unlit(n_frames: int, n_pixels: int) -> np.ndarray:
        reads = np.tile([0, light], n_frames // 2)[:, None]
        return (rng.integers(430, 440, (n_frames, n_pixels)) + reads).astype("uint16")

    settings = DetectorSettings(foreground="off" if light < 1 else "plain")
    kit.parquet(unlit(160, 32 * 356), visit.signal(AIRS))
    lc = extract_light_curve(visit, settings=settings)
    assert np.isnan(lc.airs).all() and np.isfinite(lc.fgs1).all()
    assert "AIRS-CH0 missing: there is no star" in lc.flags[0]
    kit.parquet(unlit(1920, 1024), visit.signal(FGS1))
    with pytest.raises(DataError, match="neither sensor.*no star.*no star"):
        extract_light_curve(visit, settings=settings)


def light_curves(out_dir, settings, *, n: int, **switches):
    """(light curve, truth (T, 283) scaled per wavelength to the light that the window sees) of every
    visit."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    made = simulator.simulate_competition(out_dir, n_train=n, n_test=n, seed=11, settings=settings)
    pairs = []
    for split in ("train", "test"):
        for files in find_visits(made.data_dir, split):
            lc = extract_light_curve(files, settings=DetectorSettings(**switches))
            truth = true_light_curve(
                made.visits(files.planet_id)[files.visit], lc.time, exposure_h=lc.exposure_h
            )
            pairs.append((lc, truth))
    return pairs


def test_without_noise_the_light_curves_are_the_truth(tmp_path):
    """Guards every correction at once: dead pixels, linearity, dark, flat, foreground, drift and jitter,
    undone to 1e-4."""
    for lc, truth in light_curves(tmp_path, noise_free(Settings(two_visit_fraction=0.0)), n=1):
        ratio = lc.flux / truth
        relative = ratio / ratio.mean(axis=0) - 1
        assert np.abs(relative[:, 0]).max() < 1e-4
        white = lc.white_airs / truth[:, 1:].sum(axis=1)
        assert np.abs(white / white.mean() - 1).max() < 1e-4
        bright = truth[:, 1:].mean(axis=0) > 2e4
        assert np.sqrt((relative[:, 1:][:, bright] ** 2).mean()) < 1e-4
        assert 0.94 < ratio.mean() < 1.0, "rows 8:24 and the FGS1 window hold 94–98 % of the light"


def test_with_noise_the_pulls_are_standard(tmp_path):
    """Guards flux_err: pulls of the light curves against the truth have mean 0 and width 1 within their
    errors."""
    pulls, inside = [], []
    for lc, truth in light_curves(tmp_path, Settings(two_visit_fraction=0.0), n=2):
        scale = (lc.flux / truth).mean(axis=0)
        pulls.append((lc.flux - truth * scale) / lc.flux_err)
        inside.append(truth[:, 1:].sum(axis=1) < 0.998 * truth[:, 1:].sum(axis=1).max())
    pulls, inside = np.concatenate(pulls), np.concatenate(inside)
    assert 100 < inside.sum() < 600
    for z, slack in ((pulls[:, 1:], 0.01), (pulls[:, 0], 0.03)):
        n = z.size
        # the scale per wavelength is fitted: one of 187 degrees of freedom
        # the mean of all is zero by the fitted scale; inside the transit it is not: there it is the bias of
        # the depth
        assert (
            abs(z.mean()) < 4 / np.sqrt(n) + slack
            and abs(z[inside].mean()) < 4 / np.sqrt(z[inside].size) + slack
        )
        # width of a Gaussian sample to 4 σ, and what flux_err, itself measured, may be off by
        assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * n) + 0.05)
    assert measure_scatter(pulls[:187, 1:]).mean() == pytest.approx(1.0, abs=0.1)
