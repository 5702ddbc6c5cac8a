"""Noise, ramps, second visits and lost frames: what the anchor makes of light curves that are not as the
model has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from robustness_cases import Case, Outcome
from robustness_cases._visit import against

_SEED, _PLANET = 77, 2  # whole in front of its star, in mid-visit


# ---------------------------------------------------------------- noise, from frames


def _noise_from_frames(scratch: Path) -> Outcome:
    """Three planets from frames: the noise scale must be one, chi^2 too."""
    from spectramind_kit.detector import extract_light_curve, find_visits, read_star_info
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.transit import measure_depths

    simulated = simulate_competition(scratch, n_train=3, n_test=0, seed=11, two_visit_fraction=0.0)
    stars = read_star_info(simulated.data_dir, "train")
    fits = [
        measure_depths([extract_light_curve(files)], stars.loc[files.planet_id].to_dict()).visits[0]
        for files in find_visits(simulated.data_dir, "train")
    ]
    scale = [float(np.median(fit.noise_scale)) for fit in fits]
    chi2 = [max(fit.airs_chi2, fit.fgs1_chi2) for fit in fits]
    right = all(abs(s - 1.0) < 0.08 for s in scale) and max(chi2) < 1.25
    return Outcome(wrong=not right, note=f"noise scale {np.mean(scale):.2f}, largest χ² {max(chi2):.2f}")


# ---------------------------------------------------------------- one planet at the light-curve level


@lru_cache(maxsize=1)
def _truth():
    from spectramind_kit.simulator import Settings, draw_visits

    return draw_visits(_SEED, "test", _PLANET, settings=Settings(spot_fraction=0.0, dilution_fraction=0.0))[0]


def _curve(truth=None, *, visit: int = 0, n_times: int = 187):
    from spectramind_kit.simulator import light_curves_of

    batch = light_curves_of([truth or _truth()], seed=5 + visit, n_times=n_times)
    return replace(batch.light_curve(0), planet_id=1, visit=visit)


def _fitted(make: Callable[[], list], scratch: Path) -> Outcome:
    from spectramind_kit.transit import fit_anchor

    anchor = fit_anchor(make(), _truth().planet.catalogue_row())
    pull, _, sigma = against(anchor, _truth())
    return Outcome(pull=pull, sigma_ppm=1e6 * sigma, said=", ".join(anchor.flags))


def _times(curve, factor: np.ndarray):
    """The flux times a factor (T,) or (T, 283)."""
    return replace(curve, flux=(curve.flux * factor.reshape(len(curve.time), -1)).astype(np.float32))


def _unequal_exposures() -> list:
    """Every third bin holds a third of the exposures, and says so."""
    curve, rng = _curve(), np.random.default_rng(0)
    few = np.arange(len(curve.time)) % 3 == 0
    error = np.where(few[:, None], np.sqrt(3.0), 1.0) * curve.flux_err
    extra = np.where(few[:, None], np.sqrt(2.0), 0.0) * curve.flux_err * rng.standard_normal(curve.flux.shape)
    return [replace(curve, flux=(curve.flux + extra).astype(np.float32), flux_err=error.astype(np.float32))]


def _own_noise_in_errors() -> list:
    """Errors made from each bin's own noisy flux, as many pipelines do."""
    curve = _curve()
    error = curve.flux_err.mean(0) * np.sqrt(curve.flux / curve.flux.mean(0))
    return [replace(curve, flux_err=error.astype(np.float32))]


def _ramp(*, size: float = 0.003, at_end: bool = False, part: slice = slice(None)) -> list:
    """It fades within half an hour."""
    curve = _curve()
    since = curve.time[-1] - curve.time if at_end else curve.time - curve.time[0]
    factor = np.ones(curve.flux.shape)
    factor[:, part] += size * np.exp(-since / 0.5)[:, None]
    return [_times(curve, factor)]


def _lost_frames(*, start: float = 0.45) -> list:
    """A tenth of the frames is not in the files; the stamps of the first ones are taken, as stage 1 must."""
    curve = _curve()
    n = len(curve.time)
    first, count = int(start * n), int(0.1 * n)
    keep = np.r_[0:first, first + count : n]
    short = replace(_part(curve, keep), time=curve.time[: len(keep)])
    flags = tuple(f"{sensor}: {len(keep)} of {n} frames" for sensor in ("FGS1", "AIRS-CH0"))
    return [replace(short, flags=flags, info={"airs_frames_lost": 0.1, "fgs1_frames_lost": 0.1})]


def _part(curve, times):
    return replace(curve, time=curve.time[times], flux=curve.flux[times], flux_err=curve.flux_err[times])


def _without(curve, part) -> object:
    from spectramind_kit.training.simulated_visits import without

    return without(curve, part)


def _missing_points(*, start: float) -> list:
    """A tenth of the times has no value, and its place is known."""
    curve = _curve()
    n = len(curve.time)
    return [_without(curve, slice(int(start * n), int((start + 0.1) * n)))]


def _second(kind: str) -> list:
    truth, whole = _truth(), _curve(visit=1)
    second = {
        "empty": lambda: _curve(replace(truth, depth=np.full_like(truth.depth, 1e-10)), visit=1),
        "elsewhere": lambda: _curve(replace(truth, mid_transit_time=12.0), visit=1),
        "fainter": lambda: _curve(replace(truth, level=0.1 * truth.level), visit=1),
        "coarser": lambda: _curve(visit=1, n_times=94),
        "finer": lambda: _curve(visit=1, n_times=600),
        "shorter": lambda: _part(whole, slice(0, 110)),
        "far shorter": lambda: _part(whole, slice(0, 60)),
    }[kind]
    return [_curve(), second()]


def _second_outcome(kind: str, scratch: Path) -> Outcome:
    """Right: no worse than the good visit alone."""
    alone, both = _fitted(lambda: [_curve()], scratch), _fitted(partial(_second, kind), scratch)
    return replace(both, wrong=both.sigma_ppm > 1.2 * alone.sigma_ppm)


def _one_sensor(part: slice) -> list:
    return [_without(_curve(), np.s_[:, part])]


_SECOND_VISITS = (
    ("without a transit", "empty", "± 50 ppm became ± 8,000"),
    ("transit outside", "elsewhere", "± 8,000 ppm"),
    ("shorter", "shorter", "works"),
    ("a third of it", "far shorter", "± 400 to 6,000 ppm, not converged"),
    ("ten times fainter", "fainter", "works"),
    ("half the cadence", "coarser", "works"),
    ("three times the cadence", "finer", "works"),
)
_NOISE, _CHANGES, _SENSOR = "noise", "changes in the visit", "one sensor"
_AIRS, _FGS1 = slice(1, None), slice(0, 1)
_POOR = "noise scale 0.50, χ² 4.0, every visit a poor fit"
_QUARTER = "noise scale 0.50, information divided by four"
_SHORT = "flag of the light curve only, error as of a whole visit"
_ALL_OF_IT = "the search took it for a transit of 100 %"
_FITTED = (
    ("unequal numbers of exposures per bin", _NOISE, "χ² 0.00, ± 209 ppm", _unequal_exposures),
    ("errors that follow each bin's own noise", _NOISE, _QUARTER, _own_noise_in_errors),
    ("ramp of 0.3 % at the start", _CHANGES, "2.8 σ (of twice the error), no flag", _ramp),
    ("ramp of 0.3 % at the end", _CHANGES, "no flag", partial(_ramp, at_end=True)),
    ("hook of -0.3 % at the start", _CHANGES, "no flag", partial(_ramp, size=-0.003)),
    ("ramp in AIRS-CH0 alone", _CHANGES, "no flag", partial(_ramp, part=_AIRS)),
    ("ramp in FGS1 alone", _CHANGES, "no flag", partial(_ramp, part=_FGS1)),
    ("a middle tenth of the frames lost", _CHANGES, _SHORT, _lost_frames),
    ("a tenth lost before the transit", _CHANGES, "the same", partial(_lost_frames, start=0.1)),
    ("first tenth without values", _CHANGES, _ALL_OF_IT, partial(_missing_points, start=0.0)),
    ("middle tenth without values", _CHANGES, "flagged", partial(_missing_points, start=0.45)),
    ("light curve without FGS1", _SENSOR, "flagged", partial(_one_sensor, _FGS1)),
    ("light curve without AIRS-CH0", _SENSOR, "flagged", partial(_one_sensor, _AIRS)),
)
CASES = [
    Case("three planets from frames", _NOISE, _POOR, _noise_from_frames),
    *(Case(name, kind, before, partial(_fitted, make)) for name, kind, before, make in _FITTED),
    *(
        Case(f"second visit: {name}", "two visits", before, partial(_second_outcome, kind))
        for name, kind, before in _SECOND_VISITS
    ),
]
