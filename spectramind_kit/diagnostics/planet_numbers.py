"""One row of numbers for every planet of a run: what the report lists, and ``planets.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from spectramind_kit.diagnostics.figures.style import PPM
from spectramind_kit.diagnostics.judged import rms
from spectramind_kit.diagnostics.sources import network_share, source_of
from spectramind_kit.diagnostics.visits import stored_measurement
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.whole_file import whole_file

_UNKNOWN = float("nan")


@dataclass(frozen=True)
class PlanetNumbers:
    """NaN is what the run does not know: scores and errors without a known depth, the orbit without a fit."""

    planet_id: int
    set: str  # test or train (out of fold)
    source: str  # anchor, network, both, flat depth, naive
    network_share_fgs1: float  # 0 to 1
    network_share_airs: float
    score: float  # official, not clipped
    fgs1_depth_ppm: float
    fgs1_sigma_ppm: float
    fgs1_error_ppm: float  # prediction - truth
    airs_depth_ppm: float  # mean over the wavelengths
    airs_sigma_ppm: float  # root mean square
    airs_error_ppm: float  # mean
    airs_pull_rms: float
    visits: int
    period_d: float  # this and the next six: the anchor's fit
    semi_major_axis: float  # a/Rs
    impact_parameter: float
    duration_h: float  # first to last contact
    mid_transit_time_h: float  # of the first visit, from its start
    fgs1_chi2: float  # largest of the visits, per degree of freedom
    airs_chi2: float
    flags: tuple[str, ...]

    @property
    def fgs1_pull(self) -> float:
        return self.fgs1_error_ppm / self.fgs1_sigma_ppm


def planet_numbers(run: RunResults) -> list[PlanetNumbers]:
    """Every planet, test before train; in each set the lowest score first, then the flagged ones."""
    found = []
    for name, predictions in (("test", run.test), ("train", run.oof)):
        if predictions is not None:
            rows = _of_set(run, name, predictions)
            found += sorted(rows, key=lambda one: (_last(one.score), not one.flags, one.planet_id))
    return found


def numbers_of(run: RunResults, planet_id: int) -> PlanetNumbers | None:
    """The row of one planet; None where the run holds no prediction of it."""
    for name, predictions in (("test", run.test), ("train", run.oof)):
        if predictions is not None and planet_id in predictions.planet_id:
            return _of_set(run, name, predictions.only(predictions.planet_id == planet_id))[0]
    return None


def write_planets(numbers: Sequence[PlanetNumbers], path: Path) -> Path:
    """Write the rows as CSV, atomically; what is not known stays empty."""
    with whole_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(PlanetNumbers)])
        table.writeheader()
        for one in numbers:
            cells = {name: _cell(value) for name, value in asdict(one).items()}
            table.writerow(cells | {"flags": "; ".join(one.flags)})
    return path


def _of_set(run: RunResults, name: str, predictions: Predictions) -> list[PlanetNumbers]:
    share = network_share(run, predictions)
    scores = np.full(len(predictions), _UNKNOWN)
    error = np.full(predictions.depth_mean.shape, _UNKNOWN)
    if predictions.depth is not None:
        known = (np.isfinite(predictions.depth) & np.isfinite(predictions.depth_mean)).all(axis=1)
        some = predictions.only(known)
        scores[known] = run.metric.planet_scores(some.depth, some.depth_mean, some.depth_sigma)
        error = predictions.depth_mean - predictions.depth
    return [
        PlanetNumbers(
            planet_id=int(planet),
            set=name,
            source=source_of(predictions, row, share[row]),
            network_share_fgs1=float(share[row, 0]),
            network_share_airs=float(share[row, 1:].mean()),
            score=float(scores[row]),
            **_spectrum(predictions.depth_mean[row], predictions.depth_sigma[row], error[row]),
            **_fit(run, int(planet)),
        )
        for row, planet in enumerate(predictions.planet_id)
    ]


def _spectrum(mean: np.ndarray, sigma: np.ndarray, error: np.ndarray) -> dict[str, float]:
    mean, sigma, error = PPM * mean, PPM * sigma, PPM * error
    fgs1 = {"fgs1_depth_ppm": mean[0], "fgs1_sigma_ppm": sigma[0], "fgs1_error_ppm": error[0]}
    airs = {
        "airs_depth_ppm": mean[1:].mean(),
        "airs_sigma_ppm": rms(sigma[1:]),
        "airs_error_ppm": error[1:].mean(),
    }
    numbers = fgs1 | airs | {"airs_pull_rms": rms(error[1:] / sigma[1:])}
    return {name: float(value) for name, value in numbers.items()}


def _fit(run: RunResults, planet_id: int) -> dict[str, float | int | tuple[str, ...]]:
    """Orbit, quality and flags of the anchor's measurement; unknown where there is none."""
    names = ("period_d", "semi_major_axis", "impact_parameter", "duration_h", "mid_transit_time_h")
    orbit = dict.fromkeys((*names, "fgs1_chi2", "airs_chi2"), _UNKNOWN)
    try:
        measured = stored_measurement(run, planet_id)
    except DataError as error:
        return {**orbit, "visits": 0, "flags": _failures(run.info, planet_id) or (error.what,)}
    if measured.visits:
        first, every = measured.visits[0], measured.visits
        orbit = {
            name: float(getattr(first, name.removesuffix("_h") if "mid" in name else name)) for name in names
        }
        orbit |= {
            name: float(max(getattr(one, name) for one in every)) for name in ("fgs1_chi2", "airs_chi2")
        }
    return {**orbit, "visits": len(measured.visits), "flags": tuple(measured.flags)}


def _failures(info: Mapping, planet_id: int) -> tuple[str, ...]:
    """What the stages have recorded of a planet that did not go through."""
    told: dict[str, None] = {}
    for record in (info.get("stages") or {}).values():
        lists = (
            [v for k, v in record.items() if k.startswith("failed_")] if isinstance(record, Mapping) else []
        )
        for failure in (one for entries in lists if isinstance(entries, list) for one in entries):
            if isinstance(failure, Mapping) and str(failure.get("planet_id")) == str(planet_id):
                told[str(failure.get("error"))] = None
    return tuple(told)


def _last(value: float) -> float:
    """For an order in which what is not known comes last."""
    return value if np.isfinite(value) else np.inf


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.6g}" if np.isfinite(value) else ""
