"""Exposures that cannot be: each kind is dropped, and nothing that a star, a planet, a particle or the
pointing does."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.dead_time import NO_LIGHT, OFF, REPEATED, check_exposures

N, SIDE = 400, 16


def frames(
    *, n: int = N, depth: float = 0.0, jitter: float = 0.0, noise: bool = True, level: float = 2.5e5
) -> np.ndarray:
    """(2n, 320) counts of an FGS1-like window and 64 dim pixels, a box transit in the middle third."""
    rng = np.random.default_rng(0)
    row, column = (v.ravel() for v in np.mgrid[:SIDE, :SIDE])
    shift = jitter * rng.standard_normal((n, 2))
    light = (
        np.exp(-0.5 * ((row - 7.4 - shift[:, :1]) ** 2 + (column - 7.3 - shift[:, 1:]) ** 2) / 2.25)
        / 14.1
        * level
    )
    star = np.where((np.arange(n) > n / 3) & (np.arange(n) < 2 * n / 3), 1 - depth, 1.0)
    light = np.concatenate([light * star[:, None], np.full((n, 64), 2.0)], axis=1)
    if noise:
        light = light + np.sqrt(light) * rng.standard_normal(light.shape)
    out = np.empty((2 * n, 320))
    out[0::2], out[1::2] = 1005.0, 1005.0 + light
    if noise:
        out += 13.0 * rng.standard_normal(out.shape)
    return (out * 0.4369).astype(np.uint16)


@pytest.mark.parametrize(
    "shape", [{}, {"depth": 0.08}, {"jitter": 0.1}, {"n": 30}, {"n": 6000, "jitter": 0.1, "depth": 0.03}]
)
def test_real_exposures_are_kept(shape):
    """Guards against dropping what is only noisy, in a deep transit, or moved by the pointing."""
    check = check_exposures(frames(**shape))
    assert check.good.all() and not check.reasons and not check.repeats


def test_a_particle_is_no_reason():
    """Guards against an exposure that is lost to one or two bright pixels; stage 1 replaces those."""
    adu = frames()
    adu[201, 7 * SIDE + 7], adu[301, 7 * SIDE + 8] = 60_000, 40_000
    assert check_exposures(adu).good.all()


def spoil(kind: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Frames, the exposures that are spoiled, and the reason."""
    adu = frames()
    which = np.arange(150, 190)
    reads = np.stack([2 * which, 2 * which + 1], axis=1).ravel()
    if kind == "zero":
        adu[reads] = 0
    elif kind == "most of them zero":
        which = np.arange(100, 360)
        adu[200:720] = 0
    elif kind == "one zero":
        which, adu[300:302] = np.array([150]), 0
    elif kind == "first read zero":
        which, adu[300] = np.array([150]), 0
    elif kind == "last read full":
        which, adu[301] = np.array([150]), 65535
    elif kind == "shutter closed":
        adu[reads] = np.random.default_rng(1).integers(434, 444, (len(reads), 320))
    elif kind == "half of the light":
        adu[2 * which + 1] = 439 + 0.6 * (adu[2 * which + 1].astype(float) - 439)
    elif kind == "twice":
        adu[2 * which + 1] = 439 + 2.5 * (adu[2 * which + 1].astype(float) - 439)
    elif kind == "frozen":
        adu[reads] = np.tile(adu[298:300], (40, 1))
    elif kind == "sent again":
        adu[reads] = adu[20:100].copy()
    reason = {
        "half of the light": OFF,
        "twice": OFF,
        "first read zero": NO_LIGHT,
        "frozen": REPEATED,
        "sent again": REPEATED,
    }
    return adu, which, reason.get(kind, NO_LIGHT)


@pytest.mark.parametrize(
    "kind",
    [
        "zero",
        "most of them zero",
        "one zero",
        "first read zero",
        "last read full",
        "shutter closed",
        "half of the light",
        "twice",
        "frozen",
        "sent again",
    ],
)
def test_impossible_exposures_are_dropped(kind):
    """Guards against a single exposure that ruins a visit: exactly these go, and are counted under their
    reason."""
    adu, which, reason = spoil(kind)
    check = check_exposures(adu)
    np.testing.assert_array_equal(np.flatnonzero(~check.good), which)
    assert check.reasons == {reason: len(which)}


@pytest.mark.parametrize("value", ["one of them", "zero"])
def test_first_reads_that_never_change_are_told(value):
    """Guards against the light before the first read in the flux: FGS1's depth came out twice too large."""
    adu = frames()
    adu[0::2] = adu[0] if value == "one of them" else 0
    check = check_exposures(adu)
    assert check.stuck and check.good.all()
    assert not check_exposures(frames()).stuck and not check_exposures(frames(noise=False)).stuck


@pytest.mark.parametrize("read", [0, 1])
def test_one_read_that_hangs_for_a_while_costs_its_exposures(read):
    """Guards against pairs of which only one read repeats."""
    adu = frames()
    adu[300 + read : 380 : 2] = adu[298 + read]
    np.testing.assert_array_equal(np.flatnonzero(~check_exposures(adu).good), np.arange(150, 190))


def test_a_star_beyond_the_converter_is_no_lack_of_light():
    """Guards against a bright star whose pixels all show the highest count, dropped as frames without light:
    saturation masks these pixels."""
    adu = np.minimum(frames(), 2000)
    part = slice(6 * SIDE, 9 * SIDE)
    adu[1::2, part] = 2000
    assert check_exposures(adu).good.all()


def test_frames_without_noise_repeat_and_are_kept():
    """Guards against a noise-free simulation that loses all but one of its exposures."""
    check = check_exposures(frames(noise=False))
    assert check.good.all() and check.repeats > 0.9


def test_the_last_exposures_do_not_count():
    """Guards against a flag on every visit for a last frame that is never used."""
    adu = frames()
    adu[-2:] = 0
    check = check_exposures(adu, ignore_last=1)
    assert not check.good[-1] and not check.reasons
