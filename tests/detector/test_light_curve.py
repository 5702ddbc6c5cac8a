"""LightCurve: its file and its contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.light_curve import LightCurve
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


def test_save_and_load(tmp_path):
    """Guards against a file that loses a field, and a temporary file left behind."""
    a = replace(curve(), planet_id=np.int64(3))  # as an index of pandas gives it
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
    a.flux[:, 1:] = a.flux_err[:, 1:] = np.nan
    a.save(tmp_path / "a.npz")
    assert np.isnan(LightCurve.load(tmp_path / "a.npz").white_airs).all()
    for spoil, words in (
        (lambda: a.flux.__setitem__((0, 0), np.inf), "infinite values"),
        (lambda: a.flux.fill(np.nan), "no usable values"),
    ):
        spoil()
        a.save(tmp_path / "a.npz")
        with pytest.raises(DataError, match=f"file cannot be used.*{words}.*a.npz, planet 3.*computed again"):
            LightCurve.load(tmp_path / "a.npz")


DAYS = 2460000.5 + np.arange(40) * 0.04 / 24


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(time=np.arange(40) * 0.04 / 24), "not hours of one visit"),
        (dict(time=np.arange(40) * 0.04 / 24, exposure_h=0.04 / 24), "not hours of one visit"),
        (dict(time=DAYS), "not hours of one visit.*first 2460000.5.*Julian date"),
        (dict(time=DAYS, exposure_h=0.04 / 24), "not hours of one visit.*Julian date"),
        (dict(time=24 * DAYS), "not hours of one visit"),
        (dict(time=np.arange(40) * 144.0), "not hours of one visit.*seconds"),
        (dict(exposure_h=144.0), "not hours of one visit.*exposure_h 144"),
        (dict(time=np.arange(40)[::-1] * 0.04), "do not ascend"),
        (dict(time=np.r_[0.0, np.arange(39)] * 0.04), "do not ascend"),
        (dict(time=np.where(np.arange(40) == 9, np.nan, np.arange(40) * 0.04)), "do not ascend"),
        (dict(time=np.r_[np.arange(39) * 0.04, np.inf]), "do not ascend"),
        (dict(time=np.arange(39) * 0.04), r"do not fit together.*time \(39,\), flux \(40, 283\)"),
        (dict(wavelength_um=np.arange(282.0)), r"do not fit together.*wavelength_um \(282,\)"),
        (dict(flux=np.zeros((283, 40))), r"do not fit together.*flux \(283, 40\)"),
        (dict(time=list(range(40))), "time of a light curve is no array of numbers.*found: list"),
        (dict(flux=np.full((40, 283), "1")), "flux of a light curve is no array of numbers.*found: <U1"),
    ],
)
def test_a_light_curve_is_checked_when_it_is_made(change, words):
    """Guards against a confident wrong depth (40,000 ppm off) from days, all memory taken by a search over
    27,000 'hours', and an error ten functions on."""
    with pytest.raises(DataError, match=words) as caught:
        replace(curve(), **change)
    assert "planet 3, visit 1" in str(caught.value)


@pytest.mark.parametrize("name", ["flux", "flux_err"])
def test_every_flux_has_its_error(name):
    """Guards against a point that one step takes for missing and another one for a value."""
    values = getattr(curve(), name).copy()
    values[7, 5] = np.nan
    with pytest.raises(DataError, match=r"do not fit together.*1 points.*first at \[7, 5\].*nan"):
        replace(curve(), **{name: values})


def test_short_excerpts_and_instants_are_light_curves():
    """Guards against two minutes of real frames, or exposures without a length, that pass for days."""
    step = 4.8 / 3600
    assert replace(curve(), time=np.arange(40) * step, exposure_h=step).time[-1] < 0.1
    assert replace(curve(), exposure_h=0.0).exposure_h == 0.0
