"""LightCurve: its file and its contract."""

from __future__ import annotations

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
    a.flux[:, 1:] = a.flux_err[:, 1:] = np.nan
    a.save(tmp_path / "a.npz")
    assert np.isnan(LightCurve.load(tmp_path / "a.npz").white_airs).all()
    for spoil in (lambda: a.flux.__setitem__((0, 0), np.inf), lambda: a.flux.fill(np.nan)):
        spoil()
        a.save(tmp_path / "a.npz")
        with pytest.raises(DataError, match="no usable values"):
            LightCurve.load(tmp_path / "a.npz")
