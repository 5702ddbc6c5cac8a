"""LightCurve, and stage 1 for one visit on frames with a known transit."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.extraction import extract_light_curve
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError


def curve(n: int = 40) -> LightCurve:
    rng = np.random.default_rng(0)
    return LightCurve(
        planet_id=3,
        visit=1,
        time=np.arange(n) * 0.04,
        flux=rng.normal(1e4, 10, (n, 283)).astype(np.float32),
        flux_err=np.full((n, 283), 10, np.float32),
        wavelength_um=np.linspace(0.7, 3.9, 283),
        exposure_h=0.04,
        flags=("odd",),
        info={"a": 1.0},
    )


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
    import pyarrow.parquet as pq

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
    import pyarrow.parquet as pq

    from spectramind_kit.detector.instrument import INSTRUMENTS

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
    import pyarrow.parquet as pq

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
    from spectramind_kit.detector.instrument import AIRS, FGS1

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


def test_save_and_load(tmp_path):
    """Guards against a file that loses a field, and a temporary file left behind."""
    a = curve()
    a.save(tmp_path / "x" / "3_1.npz")
    b = LightCurve.load(tmp_path / "x" / "3_1.npz")
    for name in ("time", "flux", "flux_err", "wavelength_um"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (b.planet_id, b.visit, b.exposure_h, b.flags, b.info) == (3, 1, 0.04, ("odd",), {"a": 1.0})
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["3_1.npz"]


def test_damage_is_noticed(tmp_path):
    """Guards against half-written or bit-rotten files being read."""
    path = tmp_path / "3_1.npz"
    curve().save(path)
    whole = path.read_bytes()
    broken = (whole[: len(whole) // 2], b"", whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged|usable"):
            LightCurve.load(path)
    with pytest.raises(DataError, match="no such file"):
        LightCurve.load(tmp_path / "none.npz")


def test_missing_points_survive_and_infinity_does_not(tmp_path):
    """Guards the contract: NaN marks a missing point, a sensor may be missing altogether, and nothing else
    passes for a value."""
    a = curve()
    a.flux[3:5, 0] = a.flux_err[3:5, 0] = np.nan
    a.flux[:, 1] = a.flux_err[:, 1] = np.nan
    a.save(tmp_path / "a.npz")
    b = LightCurve.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(b.flux, a.flux)
    assert np.isfinite(b.white_airs).all()
    assert b.white_airs[0] == pytest.approx(a.flux[0, 2:].sum(dtype=float))
    c = b.binned(4)
    np.testing.assert_allclose(c.flux[0, 0], a.flux[:3, 0].mean(), rtol=1e-6)
    np.testing.assert_allclose(c.flux_err[:2, 0], 10 / np.sqrt(3), rtol=1e-6)
    assert np.isnan(c.flux[:, 1]).all() and c.flux_err[0, 2] == pytest.approx(5.0)
    a.flux[:, 1:] = a.flux_err[:, 1:] = np.nan
    a.save(tmp_path / "a.npz")
    assert np.isnan(LightCurve.load(tmp_path / "a.npz").white_airs).all()
    for spoil in (lambda: a.flux.__setitem__((0, 0), np.inf), lambda: a.flux.fill(np.nan)):
        spoil()
        a.save(tmp_path / "a.npz")
        with pytest.raises(DataError, match="no usable values"):
            LightCurve.load(tmp_path / "a.npz")


def test_binned():
    """Guards errors of means: they fall with the square root of the number."""
    a = curve(41)
    b = a.binned(4)
    assert len(b.time) == 10 and b.exposure_h == pytest.approx(0.16)
    np.testing.assert_allclose(b.flux[0], a.flux[:4].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(b.flux_err, 5.0)
    assert b.white_airs.shape == (10,) and b.airs.shape == (10, 282) and b.fgs1.shape == (10,)
    with pytest.raises(DataError, match="cannot bin"):
        a.binned(100)
