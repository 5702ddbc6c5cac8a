"""Frames that saturate, repeat, stay dark or change their foreground, and sensors that cannot be read: stage
1 and the anchor on files."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from robustness_cases import Case
from robustness_cases import _frames as damage
from robustness_cases._visit import Situation

_FULL_WELL_E = 1.0e5  # of the simulator's pixels; stage 1 does not know it
_PEAK_SHARE, _LAST_READ_S = 0.098, 0.2  # of FGS1's brightest pixel
_AIRS, _FGS1 = 0, 1


def _brighter(truth, *, fgs1: float = 1.0, airs: float = 1.0):
    level = truth.level.copy()
    level[0] *= fgs1
    level[1:] *= airs
    return replace(truth, level=level)


def _peak_at(truth, *, full_wells: float):
    """FGS1's brightest pixel ends its ramp at so many full wells."""
    level = truth.level.copy()
    level[0] = full_wells * _FULL_WELL_E / (_PEAK_SHARE * _LAST_READ_S)
    return replace(truth, level=level)


def _truncate(folder: Path, *, sensors=("FGS1", "AIRS-CH0")) -> None:
    for sensor in sensors:
        path = folder / f"{sensor}_signal_0.parquet"
        path.write_bytes(path.read_bytes()[:50_000])


def _remove(folder: Path, *, name: str) -> None:
    (folder / name).unlink()


def _star(change, **settings) -> Situation:
    return Situation(star=partial(change, **settings))


def _frames(change, **settings) -> Situation:
    return Situation(frames=partial(change, **settings))


def _folder(change, **settings) -> Situation:
    return Situation(folder=partial(change, **settings))


_UNTRIED, _NO_CURVE = "not tried", "no light curve"
_SITUATIONS = (
    ("a visit as it should be", "0.50 of its noise, right within it", Situation()),
    ("FGS1's brightest pixel at its full well", "−3,422 ± 85 ppm, no flag", _star(_peak_at, full_wells=1.1)),
    ("FGS1's brightest pixel saturates out of transit only", _UNTRIED, _star(_peak_at, full_wells=1.005)),
    ("star 1.8 × brighter", "−4,679 ± 91 ppm, no flag", _star(_brighter, fgs1=1.8, airs=1.8)),
    ("AIRS-CH0 × 3", "score −155 for the planet, no flag", _star(_brighter, airs=3.0)),
    ("AIRS-CH0 × 4", _UNTRIED, _star(_brighter, airs=4.0)),
    ("FGS1 × 4", _UNTRIED, _star(_brighter, fgs1=4.0)),
    ("8 of 187 bins zero in transit", "errors of 10⁵–10⁶ ppm", _frames(damage.zeros)),
    ("8 of 187 bins zero outside it", "4.8 σ, no flag", _frames(damage.zeros, start=0.03)),
    ("FGS1 alone zero in 8 bins", "−9.5 σ, no flag", _frames(damage.zeros, sensors=(_FGS1,))),
    (
        "one AIRS-CH0 exposure zero",
        "planet ruined, no flag",
        _frames(damage.one_exposure, sensor=_AIRS, value=0),
    ),
    (
        "one last read at the converter's end",
        _UNTRIED,
        _frames(damage.one_exposure, sensor=_AIRS, value=65535, reads=slice(1, 2)),
    ),
    ("one first read zero", _UNTRIED, _frames(damage.one_exposure, sensor=_FGS1, value=0, reads=slice(0, 1))),
    ("frames repeated in 8 bins", _UNTRIED, _frames(damage.repeated)),
    ("a stretch sent again in the transit", _UNTRIED, _frames(damage.sent_again)),
    ("8 bins with 60 % of the light", _UNTRIED, _frames(damage.dimmed)),
    ("foreground of both + 10 and 0.2 e⁻ from mid-transit on", _UNTRIED, _frames(damage.step)),
    (
        "foreground of AIRS-CH0 + 10 e⁻ in transit",
        "9 σ, no flag",
        _frames(damage.bump, sensors=(_AIRS,), electrons=10.0),
    ),
    (
        "foreground of FGS1 + 10 e⁻ in transit",
        _UNTRIED,
        _frames(damage.bump, sensors=(_FGS1,), electrons=10.0),
    ),
    (
        "foreground of FGS1 + 0.5 e⁻ in transit",
        _UNTRIED,
        _frames(damage.bump, sensors=(_FGS1,), electrons=0.5),
    ),
    ("all first reads are the same", "FGS1 +6,148 ± 362 ppm", _frames(damage.stuck)),
    ("all first reads are zero", "−681 ± 93 ppm", _frames(damage.stuck, value=0)),
    ("last reads hang in 8 bins", "right, but not told", _frames(damage.hanging, read=1)),
    ("a converter that ends at 4,095", "−3,438 ± 211 ppm", _frames(damage.converter, end=4095)),
    (
        "star 2 × brighter, converter ends at 32,767",
        "−5,276 ± 605 ppm",
        Situation(star=partial(_brighter, fgs1=2.0, airs=2.0), frames=partial(damage.converter, end=32767)),
    ),
    ("one read missing in mid-visit", _NO_CURVE, _frames(damage.read_missing)),
    ("first and last reads exchanged", "± 31,000 ppm", _frames(damage.exchanged, start=0.0)),
    (
        "first and last reads exchanged for a third of the visit",
        "± 42,000 ppm",
        _frames(damage.exchanged, start=0.1, stop=0.4),
    ),
    (
        "a hot pixel in FGS1's window",
        "FGS1 −1,201 ± 139 ppm",
        _frames(damage.hot, sensor=_FGS1, pixels=[(16, 20)]),
    ),
    (
        "two hot pixels side by side on FGS1",
        "FGS1 −2,594 ± 142 ppm",
        _frames(damage.hot, sensor=_FGS1, pixels=[(16, 20), (16, 21)]),
    ),
    (
        "a hot pixel in a corner of FGS1",
        "right, but not told",
        _frames(damage.hot, sensor=_FGS1, pixels=[(1, 1)]),
    ),
    (
        "a hot pixel in the trace of AIRS-CH0",
        "one wavelength off by 28 σ",
        _frames(damage.hot, sensor=_AIRS, pixels=[(16, 150)]),
    ),
    ("AIRS-CH0 × 10", "−3,731 ± 176 ppm (partly the simulator's)", _star(_brighter, airs=10.0)),
    ("FGS1's signal truncated", _NO_CURVE, _folder(_truncate, sensors=("FGS1",))),
    ("AIRS-CH0's signal truncated", _NO_CURVE, _folder(_truncate, sensors=("AIRS-CH0",))),
    ("FGS1's flat missing", _NO_CURVE, _folder(_remove, name="FGS1_calibration_0/flat.parquet")),
    ("AIRS-CH0's signal missing", _NO_CURVE, _folder(_remove, name="AIRS-CH0_signal_0.parquet")),
    ("both signals truncated", _NO_CURVE, _folder(_truncate)),
    ("FGS1 all zeros", _NO_CURVE, _frames(damage.nothing_but_zeros, sensor=_FGS1)),
    ("AIRS-CH0 without light", _NO_CURVE, _frames(damage.unlit, sensor=_AIRS)),
)
CASES = [Case(name, "frames", before, situation.outcome) for name, before, situation in _SITUATIONS]
