"""Frames that saturate, repeat, stay dark or change their foreground, and sensors that cannot be read: stage
1 and the anchor on files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from robustness_cases import Case, Outcome

SEED, PLANET = 21, 2
_FULL_WELL_E = 1.0e5  # of the simulator's pixels; stage 1 does not know it
_PEAK_SHARE, _LAST_READ_S = 0.098, 0.2  # of FGS1's brightest pixel
Frames = tuple[np.ndarray, np.ndarray]  # AIRS-CH0, FGS1: (frames, pixels), first and last reads in turn


@dataclass(frozen=True)
class _Situation:
    """What is done to a visit: to the star, to its frames (in place), to its folder."""

    star: Callable = field(default=lambda truth: truth)
    frames: Callable = field(default=lambda frames, truth: None)
    folder: Callable = field(default=lambda folder: None)
    cadence: str = "reduced"


def _run(situation: _Situation, scratch: Path) -> Outcome:
    """Write the visit, extract its light curve, fit the anchor; pull against the depths that the visit really
    shows."""
    from spectramind_kit.detector import extract_light_curve, find_visits
    from spectramind_kit.detector.flags import concerns_quality
    from spectramind_kit.errors import DataError
    from spectramind_kit.simulator.wavelengths import grid_to_bins
    from spectramind_kit.transit import fit_anchor

    truth = _write(situation, scratch)
    try:
        curve = extract_light_curve(find_visits(scratch, "train")[0])
    except DataError as error:
        return Outcome(said=error.what, note="no light curve")
    anchor = fit_anchor([curve], truth.planet.catalogue_row())
    depth = grid_to_bins(truth.depth)
    pull = np.abs(anchor.depth - depth) / anchor.depth_err
    weights = np.full(282, 1.0 / 282.0)
    level_error = float(weights @ (anchor.depth - depth)[1:])
    level_sigma = float(np.sqrt(weights @ anchor.covariance[1:, 1:] @ weights))
    said = ", ".join(f for f in curve.flags if concerns_quality(f))
    return Outcome(
        pull=float(max(pull.max(), abs(level_error) / level_sigma)),
        sigma_ppm=1e6 * level_sigma,
        said=said,
        note=f"FGS1 {1e6 * (anchor.depth - depth)[0]:+.0f} ± {1e6 * anchor.depth_err[0]:.0f}, "
        f"AIRS-CH0 {1e6 * level_error:+.0f} ± {1e6 * level_sigma:.0f} ppm",
    )


def _write(situation: _Situation, scratch: Path):
    from spectramind_kit.detector.instrument import INSTRUMENTS
    from spectramind_kit.simulator import Settings, draw_visits, writer
    from spectramind_kit.simulator.calibration_maps import calibration_products, maps_of_visit
    from spectramind_kit.simulator.frames import simulate_visit

    settings = Settings(cadence=situation.cadence)
    truth = situation.star(draw_visits(SEED, "train", PLANET, settings=settings)[0])
    frames = simulate_visit(SEED, "train", PLANET, truth, settings=settings)
    situation.frames(frames, truth)
    folder = scratch / "train" / str(truth.planet.planet_id)
    folder.mkdir(parents=True)
    writer.write_axes(scratch, settings)
    for instrument, maps, own in zip(
        INSTRUMENTS, maps_of_visit(SEED, "train", PLANET, 0), frames, strict=True
    ):
        writer.write_signal(folder, instrument, 0, own)
        writer.write_calibration(folder, instrument, 0, calibration_products(maps, settings.effects))
    situation.folder(folder)
    return truth


# ---------------------------------------------------------------- stars


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


# ---------------------------------------------------------------- frames


def _rows(frames: np.ndarray, *, start: float, stop: float) -> slice:
    """Whole exposures of a part of the visit, as rows of ``frames``."""
    n = len(frames) // 2
    return slice(2 * int(start * n), 2 * int(stop * n))


def _transit(truth) -> float:
    """Mid-transit as a part of the visit."""
    return truth.mid_transit_time / 7.5


def _zeros(
    frames: Frames, truth, *, sensors=(0, 1), start: float | None = None, share: float = 8 / 187
) -> None:
    """Zeros in some of the visit; in mid-transit where no start is given."""
    for k in sensors:
        begin = _transit(truth) - 0.5 * share if start is None else start
        frames[k][_rows(frames[k], start=begin, stop=begin + share)] = 0


def _one_exposure(frames: Frames, truth, *, sensor: int, value: int, reads=slice(0, 2)) -> None:
    rows = _rows(frames[sensor], start=_transit(truth), stop=1.0)
    frames[sensor][rows.start : rows.start + 2][reads] = value


def _repeated(frames: Frames, truth, *, share: float = 8 / 187) -> None:
    """The detector sends its last frame again and again, just after the transit began."""
    for own in frames:
        rows = _rows(own, start=_transit(truth) - 0.15, stop=_transit(truth) - 0.15 + share)
        own[rows] = np.tile(own[rows.start - 2 : rows.start], ((rows.stop - rows.start) // 2, 1))


def _sent_again(frames: Frames, truth, *, share: float = 8 / 187) -> None:
    """A stretch from before the transit in the place of one in mid-transit."""
    for own in frames:
        to = _rows(own, start=_transit(truth), stop=_transit(truth) + share)
        source = _rows(own, start=0.05, stop=1.0)
        own[to] = own[source.start : source.start + to.stop - to.start].copy()


def _dimmed(frames: Frames, truth, *, share: float = 8 / 187, light: float = 0.6) -> None:
    """Part of the frames behind each stored one was lost: less light for a while."""
    for own in frames:
        rows = _rows(own, start=_transit(truth), stop=_transit(truth) + share)
        first, last = own[rows][0::2].astype(float), own[rows][1::2].astype(float)
        own[rows.start + 1 : rows.stop : 2] = first + light * (last - first)


def _bump(
    frames: Frames, truth, *, sensors, electrons: float, shape: str = "transit", gain: float = 0.4369
) -> None:
    """Light in every pixel during the transit, or from then on, rounded to counts at random."""
    rng = np.random.default_rng(1)
    for k in sensors:
        n = len(frames[k]) // 2
        time = (np.arange(n) + 0.5) / n - _transit(truth)
        off = np.abs(time) - 0.2 if shape == "transit" else -time
        height = electrons * gain / (1.0 + np.exp(off / 0.01))
        frames[k][1::2] += (height[:, None] + rng.random((n, frames[k].shape[1]))).astype(np.uint16)


def _step(frames: Frames, truth) -> None:
    """The same sky on both sensors: 4.5 s and 0.1 s of it."""
    _bump(frames, truth, sensors=(0,), electrons=10.0, shape="step")
    _bump(frames, truth, sensors=(1,), electrons=0.2, shape="step")


def _stuck(frames: Frames, truth, *, value: int | None = None, sensors=(0, 1)) -> None:
    """All first reads are the visit's first one, or one number."""
    for k in sensors:
        frames[k][0::2] = frames[k][0] if value is None else value


def _hanging(frames: Frames, truth, *, read: int, share: float = 8 / 187) -> None:
    """One of the two reads repeats its last value for a while in mid-transit."""
    for own in frames:
        rows = _rows(own, start=_transit(truth), stop=_transit(truth) + share)
        own[rows.start + read : rows.stop : 2] = own[rows.start + read]


def _converter(frames: Frames, truth, *, end: int) -> None:
    for own in frames:
        np.minimum(own, end, out=own)


def _exchanged(frames: Frames, truth, *, start: float, stop: float = 1.0) -> None:
    """Last reads before first ones."""
    for own in frames:
        rows = _rows(own, start=start, stop=stop)
        own[rows] = own[rows].reshape(-1, 2, own.shape[1])[:, ::-1].reshape(-1, own.shape[1])


def _read_missing(frames: Frames, truth, *, sensors=(0, 1)) -> None:
    """One read is not there, so that the pairs behind it mix two exposures; the file ends with its last read
    twice."""
    for k in sensors:
        at = _rows(frames[k], start=_transit(truth), stop=1.0).start + 1
        frames[k][at:-1] = frames[k][at + 1 :].copy()


def _hot(frames: Frames, truth, *, sensor: int, pixels, count: int = 44_000) -> None:
    """Pixels that hang at a high count since the calibration."""
    rng = np.random.default_rng(3)
    images = frames[sensor].reshape(len(frames[sensor]), 32, -1)
    for row, column in pixels:
        images[1::2, row, column] = count + rng.normal(0.0, 8.0, len(images) // 2)


# ---------------------------------------------------------------- folders


def _truncate(folder: Path, *, sensor: str) -> None:
    path = folder / f"{sensor}_signal_0.parquet"
    path.write_bytes(path.read_bytes()[:50_000])


def _truncate_both(folder: Path) -> None:
    for sensor in ("FGS1", "AIRS-CH0"):
        _truncate(folder, sensor=sensor)


def _remove(folder: Path, *, name: str) -> None:
    (folder / name).unlink()


def _unlit(frames: Frames, truth, *, sensor: int) -> None:
    """The shutter stays closed: pedestal and read noise."""
    frames[sensor][:] = np.random.default_rng(2).integers(434, 441, frames[sensor].shape)


def _nothing_but_zeros(frames: Frames, truth, *, sensor: int) -> None:
    frames[sensor][:] = 0


def _case(name: str, before: str, **situation) -> Case:
    return Case(name=name, kind="frames", before=before, run=partial(_run, _Situation(**situation)))


CASES = [
    _case("a visit as it should be", "0.50 of its noise, right within it"),
    _case(
        "FGS1's brightest pixel at its full well",
        "−3,422 ± 85 ppm, no flag",
        star=partial(_peak_at, full_wells=1.1),
    ),
    _case(
        "FGS1's brightest pixel saturates out of transit only",
        "not tried",
        star=partial(_peak_at, full_wells=1.005),
    ),
    _case("star 1.8 × brighter", "−4,679 ± 91 ppm, no flag", star=partial(_brighter, fgs1=1.8, airs=1.8)),
    _case("AIRS-CH0 × 3", "score −155 for the planet, no flag", star=partial(_brighter, airs=3.0)),
    _case("AIRS-CH0 × 4", "not tried", star=partial(_brighter, airs=4.0)),
    _case("FGS1 × 4", "not tried", star=partial(_brighter, fgs1=4.0)),
    _case("8 of 187 bins zero in transit", "errors of 10⁵–10⁶ ppm", frames=_zeros),
    _case("8 of 187 bins zero outside it", "4.8 σ, no flag", frames=partial(_zeros, start=0.03)),
    _case("FGS1 alone zero in 8 bins", "−9.5 σ, no flag", frames=partial(_zeros, sensors=(1,))),
    _case(
        "one AIRS-CH0 exposure zero",
        "planet ruined, no flag",
        frames=partial(_one_exposure, sensor=0, value=0),
    ),
    _case(
        "one last read at the converter's end",
        "not tried",
        frames=partial(_one_exposure, sensor=0, value=65535, reads=slice(1, 2)),
    ),
    _case(
        "one first read zero",
        "not tried",
        frames=partial(_one_exposure, sensor=1, value=0, reads=slice(0, 1)),
    ),
    _case("frames repeated in 8 bins", "not tried", frames=_repeated),
    _case("a stretch sent again in the transit", "not tried", frames=_sent_again),
    _case("8 bins with 60 % of the light", "not tried", frames=_dimmed),
    _case("foreground of both + 10 and 0.2 e⁻ from mid-transit on", "not tried", frames=_step),
    _case(
        "foreground of AIRS-CH0 + 10 e⁻ in transit",
        "9 σ, no flag",
        frames=partial(_bump, sensors=(0,), electrons=10.0),
    ),
    _case(
        "foreground of FGS1 + 10 e⁻ in transit",
        "not tried",
        frames=partial(_bump, sensors=(1,), electrons=10.0),
    ),
    _case(
        "foreground of FGS1 + 0.5 e⁻ in transit",
        "not tried",
        frames=partial(_bump, sensors=(1,), electrons=0.5),
    ),
    _case("all first reads are the same", "FGS1 +6,148 ± 362 ppm", frames=_stuck),
    _case("all first reads are zero", "−681 ± 93 ppm", frames=partial(_stuck, value=0)),
    _case("last reads hang in 8 bins", "right, but not told", frames=partial(_hanging, read=1)),
    _case("a converter that ends at 4,095", "−3,438 ± 211 ppm", frames=partial(_converter, end=4095)),
    _case(
        "star 2 × brighter, converter ends at 32,767",
        "−5,276 ± 605 ppm",
        star=partial(_brighter, fgs1=2.0, airs=2.0),
        frames=partial(_converter, end=32767),
    ),
    _case("one read missing in mid-visit", "no light curve", frames=_read_missing),
    _case("first and last reads exchanged", "± 31,000 ppm", frames=partial(_exchanged, start=0.0)),
    _case(
        "first and last reads exchanged for a third of the visit",
        "± 42,000 ppm",
        frames=partial(_exchanged, start=0.1, stop=0.4),
    ),
    _case(
        "a hot pixel in FGS1's window",
        "FGS1 −1,201 ± 139 ppm",
        frames=partial(_hot, sensor=1, pixels=[(16, 20)]),
    ),
    _case(
        "two hot pixels side by side on FGS1",
        "FGS1 −2,594 ± 142 ppm",
        frames=partial(_hot, sensor=1, pixels=[(16, 20), (16, 21)]),
    ),
    _case(
        "a hot pixel in a corner of FGS1",
        "right, but not told",
        frames=partial(_hot, sensor=1, pixels=[(1, 1)]),
    ),
    _case(
        "a hot pixel in the trace of AIRS-CH0",
        "one wavelength off by 28 σ",
        frames=partial(_hot, sensor=0, pixels=[(16, 150)]),
    ),
    _case("AIRS-CH0 × 10", "−3,731 ± 176 ppm (partly the simulator's)", star=partial(_brighter, airs=10.0)),
    _case("FGS1's signal truncated", "no light curve", folder=partial(_truncate, sensor="FGS1")),
    _case("AIRS-CH0's signal truncated", "no light curve", folder=partial(_truncate, sensor="AIRS-CH0")),
    _case(
        "FGS1's flat missing",
        "no light curve",
        folder=partial(_remove, name="FGS1_calibration_0/flat.parquet"),
    ),
    _case(
        "AIRS-CH0's signal missing",
        "no light curve",
        folder=partial(_remove, name="AIRS-CH0_signal_0.parquet"),
    ),
    _case("both signals truncated", "no light curve", folder=_truncate_both),
    _case("FGS1 all zeros", "no light curve", frames=partial(_nothing_but_zeros, sensor=1)),
    _case("AIRS-CH0 without light", "no light curve", frames=partial(_unlit, sensor=0)),
]
