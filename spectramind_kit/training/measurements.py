"""The depth measurements of a run's planets: made once, without labels, and kept in a file each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from spectramind_kit.configs import config_digest
from spectramind_kit.detector import LightCurve
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import cpu_count, free_memory_mb, progress, say
from spectramind_kit.training.made_from import measurement_made_from, say_again, why_measure_again
from spectramind_kit.training.measurement_jobs import MeasurementJob, run_jobs
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.settings import AnchorSettings

WORKER_MEMORY_MB = 900.0


def measure_planets(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    stars: pd.DataFrame,
    split: str,
    workers: int | None = None,
) -> dict[int, DepthMeasurement]:
    """Measure the depths of every planet; a stored measurement that was made from the same inputs is read.

    In worker processes, or on the GPU where that is faster (`measurement_jobs.run_jobs`).

    The measurement sees light curves and the star table only. A planet that cannot be measured is left out
    and recorded; one without a row in the star table is measured with medians, flagged "star table
    incomplete" (its geometry is then less certain), and said so in ``run.json``.
    """
    settings = AnchorSettings.from_mapping(run.config.anchor)
    folder = run.root / "anchor" / config_digest(run.config.data, run.config.anchor)
    star, without_row = star_rows(stars, light_curves)
    found: dict[int, DepthMeasurement] = {}
    again: dict[int, str] = {}
    jobs: list[MeasurementJob] = []
    for planet, visits in light_curves.items():
        made_from = measurement_made_from(visits, star[planet], settings=settings)
        job = MeasurementJob(folder / f"{planet}.npz", list(visits), star[planet], made_from)
        known, reason = _stored(run, job)
        if known is not None:
            found[planet] = known
            continue
        if reason:
            again[planet] = reason
            # gone before it is made again: should that fail, nothing takes the old one for a result
            job.path.unlink(missing_ok=True)
        jobs.append(job)
    say_again(again)
    reused = len(found)
    results = _run(run, jobs, settings=settings, split=split, workers=workers)
    found |= {planet: result for planet, result in results.items() if not isinstance(result, str)}
    failed = [PlanetFailure(planet, result) for planet, result in results.items() if isinstance(result, str)]
    run.failures(f"anchor_{split}", failed)
    _tell_without_row(run, split, without_row)
    run.log(
        "anchor",
        split=split,
        measured=len(jobs) - len(failed),
        reused=reused,
        made_again=len(again),
        failed=len(failed),
        flagged=sum(bool(m.flags) for m in found.values()),
    )
    return {planet: found[planet] for planet in light_curves if planet in found}


def star_rows(stars: pd.DataFrame, planets: Iterable[int]) -> tuple[dict[int, dict[str, float]], list[int]]:
    """Each planet's row of the star table, medians where it has none; and the planets without one."""
    median = stars.drop(columns=["P", "sma", "i"], errors="ignore").median().to_dict() if len(stars) else {}
    rows = {p: stars.loc[p].to_dict() if p in stars.index else median for p in planets}
    values = {p: {name: float(value) for name, value in row.items()} for p, row in rows.items()}
    return values, [p for p in values if p not in stars.index]


def _stored(run: RunFolder, job: MeasurementJob) -> tuple[DepthMeasurement | None, str]:
    """The first stored measurement that was made from just this; else None, and why none can be used."""
    reason = ""
    for path in (folder / job.path.relative_to(run.root) for folder in run.folders):
        if not path.is_file():
            continue
        try:
            measurement = DepthMeasurement.load(path)
            why = why_measure_again(measurement.made_from, job.made_from)
        except DataError as error:
            why = f"its stored measurement cannot be used ({error.what})"
        if not why:
            return measurement, ""
        reason = reason or why
    return None, reason


def _run(
    run: RunFolder,
    jobs: Sequence[MeasurementJob],
    *,
    settings: AnchorSettings,
    split: str,
    workers: int | None,
) -> dict[int, DepthMeasurement | str]:
    start, title = time.monotonic(), f"anchor measurements of {split}"
    with run.step(title):
        device = run.device()
        # free memory may be unknown: infinite
        cores = workers or max(1, int(min(cpu_count(), free_memory_mb() / WORKER_MEMORY_MB)))
        results = run_jobs(
            jobs,
            settings=settings,
            workers=cores,
            gpu=device.name if device.kind == "cuda" else None,
            winner=run.known_backend("anchor"),
            tell=lambda where: run.backend("anchor", where),
        )
        found = dict(progress(results, desc=title, total=len(jobs), unit="planets"))
    if jobs:
        run.budget.charge("anchor", units=len(jobs), seconds=time.monotonic() - start)
    return found


def _tell_without_row(run: RunFolder, split: str, planets: Sequence[int]) -> None:
    if not planets:
        return
    named = ", ".join(map(str, planets[:5])) + (" …" if len(planets) > 5 else "")
    count = f"{len(planets)} planet{'s' if len(planets) > 1 else ''}"
    say(f"star table: no row for {count} ({named}); measured with medians")
    notes = [PlanetFailure(p, "no row in the star table: medians used") for p in planets]
    run.failures(f"star_table_{split}", notes, show=False)
