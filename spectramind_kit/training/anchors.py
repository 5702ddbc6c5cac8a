"""The anchor of every planet of a run: measured once without labels, then given its prior and calibration out
of fold."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.configs import config_digest
from spectramind_kit.configs.target import to_plain
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import cpu_count, free_memory_mb, progress, say
from spectramind_kit.training.dataset import fold_of_planets
from spectramind_kit.training.label_check import contradicted_labels
from spectramind_kit.training.made_from import (
    measurement_made_from,
    say_again,
    training_made_from,
    why_measure_again,
)
from spectramind_kit.training.measuring import MeasurementJob, run_measurements
from spectramind_kit.transit.anchor.recipes import cross_fit
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    import pandas as pd

    from spectramind_kit.detector import LightCurve
    from spectramind_kit.training.labels import Labels
    from spectramind_kit.transit import Anchor, AnchorCalibration, SpectralPrior

WORKER_MEMORY_MB = 900.0


@dataclass(frozen=True)
class Measured:
    """Measurements by planet, and the planets that gave none."""

    measurements: dict[int, DepthMeasurement]
    failed: tuple[PlanetFailure, ...]


def measure_planets(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    stars: pd.DataFrame,
    split: str,
    workers: int | None = None,
) -> Measured:
    """Measure the depths of every planet, one file per planet; one that was made from the same inputs is
    read, not made again.

    In worker processes, or on the GPU where that is faster (`measuring.run_measurements`).

    The measurement sees light curves and the star table only. A planet without a row in the star table is
    measured with medians, flagged "star table incomplete" (its geometry is then less certain), and said so in
    ``run.json``.
    """
    settings = AnchorSettings.from_mapping(run.config.anchor)
    folder = run.root / "anchor" / config_digest(run.config.data, run.config.anchor)
    folder.mkdir(parents=True, exist_ok=True)
    median = stars.drop(columns=["P", "sma", "i"], errors="ignore").median().to_dict() if len(stars) else {}
    notes = [
        PlanetFailure(p, "no row in the star table: medians used")
        for p in light_curves
        if p not in stars.index
    ]
    found: dict[int, DepthMeasurement] = {}
    jobs: list[MeasurementJob] = []
    again: dict[int, str] = {}
    for planet, visits in light_curves.items():
        row = stars.loc[planet].to_dict() if planet in stars.index else median
        star = {name: float(value) for name, value in row.items()}
        made_from = measurement_made_from(visits, star, settings=settings)
        path = folder / f"{planet}.npz"
        known, reason = _finished([path, *(f / path.relative_to(run.root) for f in run.earlier)], made_from)
        if known is not None:
            found[planet] = known
            continue
        if reason:
            again[planet] = reason
            # gone before it is made again: should that fail, nothing takes the old one for a result
            path.unlink(missing_ok=True)
        jobs.append(MeasurementJob(path, list(visits), star, made_from))
    say_again(again)
    failed = []
    start = time.monotonic()
    with run.step(f"anchor measurements of {split}"):
        device = run.device()
        cores = workers or max(
            1, int(min(cpu_count(), free_memory_mb() / WORKER_MEMORY_MB))
        )  # free memory may be unknown: infinite
        results = run_measurements(
            jobs,
            settings=settings,
            workers=cores,
            gpu=device.name if device.kind == "cuda" else None,
            winner=run.known_backend("anchor"),
            tell=lambda where: run.backend("anchor", where),
        )
        for planet, result in progress(
            results, desc=f"anchor measurements of {split}", total=len(jobs), unit="planet"
        ):
            if isinstance(result, str):
                failed.append(PlanetFailure(planet, result))
            else:
                found[planet] = result
    if jobs:
        run.budget.charge("anchor", units=len(jobs), seconds=time.monotonic() - start)
    run.failures(f"anchor_{split}", failed)
    if notes:
        say(
            f"star table: no row for {len(notes)} planet{'s' if len(notes) > 1 else ''} "
            f"({', '.join(str(n.planet_id) for n in notes[:5])}{' …' if len(notes) > 5 else ''}); "
            "measured with medians"
        )
        run.failures(f"star_table_{split}", notes, show=False)
    run.log(
        "anchor",
        split=split,
        measured=len(jobs) - len(failed),
        reused=len(found) - len(jobs) + len(failed),
        made_again=len(again),
        failed=len(failed),
        flagged=sum(bool(m.flags) for m in found.values()),
    )
    return Measured({planet: found[planet] for planet in light_curves if planet in found}, tuple(failed))


def _finished(paths: Sequence[Path], made_from: Mapping[str, str]) -> tuple[DepthMeasurement | None, str]:
    """The first measurement that was made from exactly this; else None, and why the stored ones cannot be
    used."""
    reason = ""
    for path in paths:
        if not path.is_file():
            continue
        try:
            measurement = DepthMeasurement.load(path)
            why = why_measure_again(measurement.made_from, made_from)
        except DataError as error:
            why = f"its stored measurement cannot be used ({error.what})"
        if not why:
            return measurement, ""
        reason = reason or why
    return None, reason


@dataclass(frozen=True)
class CrossFittedAnchors:
    """Anchors of the train planets, each under a prior and a calibration that have not seen its label; and
    the prior and calibration from all train planets, for new ones. ``planet_ids`` and ``fold`` (N,);
    ``made_from`` names the inputs of the whole training (`made_from.training_made_from`)."""

    planet_ids: np.ndarray
    fold: np.ndarray
    out_of_fold: dict[int, Anchor]
    prior: SpectralPrior
    calibration: AnchorCalibration
    made_from: Mapping[str, str] = field(default_factory=dict)

    def stacked(self) -> tuple[np.ndarray, np.ndarray]:
        """Depths and errors (N, 283) in the order of ``planet_ids``."""
        anchors = [self.out_of_fold[int(p)] for p in self.planet_ids]
        return np.stack([a.depth for a in anchors]), np.stack([a.depth_err for a in anchors])


def cross_fit_anchors(run: RunFolder, measured: Measured, *, labels: Labels) -> CrossFittedAnchors:
    """Learn prior and calibration from the labels, out of fold; the folds are those of the network.

    Raises DataError where too few planets are left, or most labels are not those of the light curves
    (`label_check`); a single such planet is left out, and told.
    """
    planets = np.array([int(p) for p in labels.planet_ids if int(p) in measured.measurements], dtype=np.int64)
    if len(planets) < 2:
        raise DataError(
            "too few train planets were measured",
            where="cross_fit_anchors",
            expected="2 or more",
            found=str(len(planets)),
            fix="see failed_anchor_train in run.json",
        )
    strange = contradicted_labels([measured.measurements[int(p)] for p in planets], labels.of(planets))
    if strange:
        run.failures("label_contradicted", [PlanetFailure(p, text) for p, text in strange.items()])
        planets = planets[[int(p) not in strange for p in planets]]
    fold = fold_of_planets(planets, folds=run.config.train.folds, seed=run.seed)
    with run.step("prior and calibration, out of fold"):
        fitted = cross_fit(
            [measured.measurements[int(p)] for p in planets],
            labels.of(planets),
            folds=fold,
            metric=Metric(labels.naive["naive_mean"], labels.naive["naive_sigma"]),
        )
    mismatch = fitted.prior.mismatch
    if mismatch is not None:
        say(
            f"labels: {mismatch.share:.0%} of the planets show a depth that is off by "
            f"{100 * mismatch.covariance[0, 0] ** 0.5:.2f} % (1 sigma)"
        )
    run.log(
        "anchor_prior",
        planets=len(planets),
        notes=dict(fitted.prior.notes),
        mismatch=None
        if mismatch is None
        else {
            "share": mismatch.share,
            "sd": np.sqrt(np.diag(mismatch.covariance)).tolist(),
            "mean": mismatch.mean.tolist(),
            "floor": mismatch.floor.tolist(),
        },
        calibration="left out, it does not help" if fitted.calibration.identity else "used",
        score_before=fitted.calibration.score_before,
        score_after=fitted.calibration.score_after,
    )
    anchors = dict(zip(planets.tolist(), fitted.anchors))
    groups = [to_plain(run.config[name]) for name in ("data", "anchor", "model", "loss", "train")]
    made_from = training_made_from(
        settings=groups,
        seed=run.seed,
        planet_ids=planets,
        fold=fold,
        depth=labels.of(planets),
        naive=labels.naive,
        measurements=measured.measurements,
    )
    return CrossFittedAnchors(planets, fold, anchors, fitted.prior, fitted.calibration, made_from)
