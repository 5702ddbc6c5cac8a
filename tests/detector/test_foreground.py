"""The foreground of both sensors, from series of known scenes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.detector.foreground import (
    Foreground,
    trace_foreground,
    window_dilution,
    window_foreground,
)
from spectramind_kit.detector.zodiacal_light import zodiacal_shape

T, C = 120, 282
UM = np.linspace(3.9, 1.95, C)
DIP = np.clip((0.5 - np.abs(np.linspace(-1, 1, T))) / 0.08 + 0.5, 0, 1)
ROWS = np.r_[8:24, 0:4, 28:32]
SKY = 30.0 * zodiacal_shape(UM) * (1.0 + 0.1 * (UM - 2.9))


def scene(*, depth: float, seed: int = 0, dead: bool = True, star: float = 1.0):
    """Frames as `calibrate_raw` gives them, and (T, C) beside the trace: a core and rings that grow with the
    wavelength, bins of 30 exposures."""
    rng = np.random.default_rng(seed)
    r = np.abs(ROWS - 15.4)[:, None]
    rings = 0.05 * np.cos(2.5 * r / UM * 2.0) ** 2 / (1.0 + r**2)
    profile = np.exp(-0.5 * (r / 1.4) ** 2) / 3.5 + rings
    light = star * profile * np.linspace(8e3, 9e4, C)
    mean = light * (1 - depth * DIP[:, None, None]) + SKY
    bad = rng.random(light.shape) < (0.005 if dead else 0.0)
    images = np.where(bad, 0.0, mean + np.sqrt((mean + 340.0) / 30.0) * rng.standard_normal(mean.shape))
    count = np.maximum((~bad[16:]).sum(axis=0), 1)
    frames = SimpleNamespace(
        images=images[:, :16].astype(np.float32),
        rest=images[:, 16:].mean(axis=0).ravel(),
        bad=bad.ravel(),
        read_noise=np.full(bad.size, np.sqrt(340.0)),
        selection=SimpleNamespace(grid=(16, C), row=np.repeat(ROWS, C)),
    )
    return frames, images[:, 16:].sum(axis=1) / count, light[16:].mean(axis=0)


@pytest.mark.parametrize("depth,allowed", [(0.03, 1.5), (0.012, 4.0)])
def test_a_transit_tells_the_foreground_from_rings(depth, allowed):
    """Guards against star light taken for foreground: errors stay within two σ, in every column."""
    frames, beside, star = scene(depth=depth)
    found = trace_foreground(frames, beside, wavelength_um=UM, kind="dilution")
    assert np.abs(found.level - SKY).max() < allowed
    assert np.abs(found.star_light - star).mean() < allowed
    wing = trace_foreground(frames, beside, wavelength_um=UM, kind="wing_removed")
    assert np.abs(wing.level - SKY).max() > 2 * np.abs(found.level - SKY).max()


def test_the_choices():
    """Guards the switch: nothing, or all light beside the star; and frames that are evenly lit."""
    frames, beside, _ = scene(depth=0.015, dead=False)
    plain = trace_foreground(frames, beside, wavelength_um=UM, kind="plain")
    np.testing.assert_allclose(plain.level.mean(), beside.mean(), rtol=0.02)
    for kind, given in (("off", beside), ("dilution", None)):
        off = trace_foreground(frames, given, wavelength_um=UM, kind=kind)
        assert not off.level.any() and not off.star_light.any()
    frames, beside, _ = scene(depth=0.015, dead=False, star=1e-6)
    lit = trace_foreground(frames, beside, wavelength_um=UM, kind="dilution")
    assert frames.images.mean() - lit.level.mean() < 0.1, "no star is left"


@pytest.mark.parametrize("sky", (0.8, 3.0))
def test_window(sky):
    """Guards FGS1's: without a transit near the usual level, with a deep one the truth."""
    rng = np.random.default_rng(0)
    row, column = (v.ravel().astype(float) for v in np.mgrid[8:24, 8:24])
    row, column = np.r_[row, np.full(64, 2.0)], np.r_[column, np.full(64, 2.0)]
    star = 1e4 * np.exp(-0.5 * ((row - 15.4) ** 2 + (column - 15.3) ** 2) / 4.0) + 1.2
    given = {"n_window": 256, "bad": np.zeros(320, bool)}
    first = window_foreground(star + sky, row, column, **given, kind="dilution")
    assert 1.0 < first.level < 2.5 and first.level + first.star_light == pytest.approx(sky + 1.2)
    flux = 2.5e5 * (1.0 - 0.04 * np.repeat(DIP, 500))
    levels = sky + 1.2 * flux / flux.max() + 0.8 * rng.standard_normal(len(flux))
    found = window_dilution(first, levels, flux)
    assert found.level == pytest.approx(sky, abs=0.5)
    assert abs(found.level - sky) < abs(first.level - sky)
    assert window_foreground(star + sky, row, column, **given, kind="off") == Foreground(0.0, 0.0)
    lit = window_foreground(np.full(320, 50.0), row, column, **given, kind="dilution")
    assert lit == Foreground(50.0, 0.0), "no star is left"
