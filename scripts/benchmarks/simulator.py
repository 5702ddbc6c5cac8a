"""The simulator: real against simulated, the flat-depth baseline, the bound, the two levels, costs."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from _planets import flat_estimates, flat_score, population_labels

from spectramind_kit.metric import Metric
from spectramind_kit.runtime import cpu_count, progress, say

SEED = 2025
_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def run(*, quick: bool = False) -> dict:
    """Prints the table "real / simulated" and returns the figures.

    Full size: 200 reduced-cadence planets (about 10 CPU minutes); quick: 24, whose ranges and scores say
    little.
    """
    import torch

    torch.set_num_threads(1)
    planets = 24 if quick else 200
    folder = Path(tempfile.mkdtemp(prefix="simulator-benchmark-"))
    try:
        from spectramind_kit.simulator import simulate_competition

        jobs = min(2, cpu_count())
        before = _cpu_seconds()
        made = simulate_competition(folder, n_train=planets, n_test=0, seed=SEED, jobs=jobs)
        truths = [made.visits(planet_id) for planet_id in made.train_ids]
        n_visits = sum(map(len, truths))
        figures: dict = {
            "planets": planets,
            "visits": n_visits,
            "cpu_s_per_reduced_planet": (_cpu_seconds() - before) / planets,
            "megabytes_per_reduced_planet": _megabytes(made.data_dir) / planets,
        }
        rows = _table(made, quick=quick)
        figures |= {
            "table": [row.as_dict() for row in rows],
            "rows": len(rows),
            "rows_that_agree": sum(row.agrees for row in rows),
            "rows_without_agreement_or_reason": [r.quantity for r in rows if not (r.agrees or r.reason)],
        }
        _print(rows)
        curves = _light_curves(made)
        figures |= _flat_baseline(made, curves)
        figures |= _bounds(truths)
        figures["agreement"] = _agreement(made, curves)
        figures |= _light_curve_speed(quick=quick)
        figures |= _full_cadence(folder, quick=quick)
        figures["peak_memory_mb"] = max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1e3
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(made, *, quick: bool):
    """Planets and labels from the tables of 1,100 planets, light from the visits, the detector from frames.

    1,100 are as many as the real ones; 200 would scatter by more than the tolerance.
    """
    import pandas as pd

    from spectramind_kit.simulator import comparison, draw_visits
    from spectramind_kit.simulator.calibration_maps import maps_of_visit
    from spectramind_kit.simulator.comparison_frames import reference_rows

    firsts = [draw_visits(made.seed, "train", k, settings=made.settings)[0] for k in range(1100)]
    stars = pd.DataFrame([v.planet.catalogue_row() for v in firsts])
    labels = np.array([v.label for v in firsts])
    maps = maps_of_visit(made.seed, "train", 0, 0)
    return [
        *comparison.star_rows(stars),
        *comparison.orbit_rows(firsts),
        *comparison.label_rows(labels),
        *comparison.width_rows(labels, _reference_spectra()),
        *comparison.light_rows(firsts),
        *comparison.table_rows(firsts),
        *reference_rows(firsts[0], maps, seed=SEED, quick=quick),
    ]


def _reference_spectra() -> dict:
    """Real label spectra of 2024 and 2025, where ARIEL_REFERENCE_DATA names their folder; else none."""
    path = Path(os.environ.get("ARIEL_REFERENCE_DATA", "")) / "spectra_2024.npz"
    if not path.is_file():
        say("ARIEL_REFERENCE_DATA is unset: the rows `unexplained` are left out")
        return {}
    with np.load(path) as real:
        return {name.removeprefix("spectra_"): real[name] for name in real.files}


def _print(rows) -> None:
    width = max(len(row.quantity) for row in rows)
    say(f"{'quantity':{width}}  {'real':>20}  {'simulated':>22}")
    for row in rows:
        mark = "" if row.agrees else f"  <- {row.reason or 'differs'}"
        say(f"{row.quantity:{width}}  {row.real:>20}  {row.simulated:>22}{mark}")


def _light_curves(made) -> dict:
    """Stage 1 of every visit: {planet_id: [LightCurve]}."""
    from spectramind_kit.detector.extraction import extract_light_curve
    from spectramind_kit.detector.layout import find_visits

    curves: dict = {}
    for files in progress(find_visits(made.data_dir, "train"), desc="stage 1", unit="visit"):
        curves.setdefault(files.planet_id, []).append(extract_light_curve(files))
    return curves


def _flat_baseline(made, curves) -> dict:
    """Fitted on one half of the planets and scored on the other, both ways."""
    from spectramind_kit.detector.layout import read_labels

    ids = sorted(curves)
    depth = read_labels(made.data_dir).loc[ids].to_numpy()
    estimate, metric, half = (
        flat_estimates({i: curves[i] for i in ids}),
        Metric.of(depth),
        np.arange(len(ids)) % 2,
    )
    scores = [
        flat_score(*((depth[half == k], estimate[half == k]) for k in (learn, 1 - learn)), metric)
        for learn in (0, 1)
    ]
    return {"flat_baseline": float(np.mean(scores))}


def _bounds(truths) -> dict:
    """Expected score of perfect linear-Gaussian inference, step by step."""
    from spectramind_kit.simulator.bound import combine_information, expected_score, learn_knowledge
    from spectramind_kit.simulator.visit_information import visit_information

    knowledge = learn_knowledge(population_labels(1000, SEED + 1), seed=SEED)
    steps = {
        "bound_without_spectral_prior": {"mismatch": False, "use_prior": False},
        "bound_without_mismatch": {"mismatch": False},
        "bound": {},
    }
    labels = np.array([visits[0].label for visits in truths])
    variance = {name: [] for name in steps}
    for visits in progress(truths, desc="bound", unit="planet"):
        informations = [visit_information(visit) for visit in visits]
        for name, options in steps.items():
            covariance = combine_information(informations, visits[0].label, knowledge, **options)
            variance[name].append(np.diag(covariance))
    metric = knowledge.metric
    figures = {k: expected_score(labels, np.array(values), metric=metric) for k, values in variance.items()}
    sigma = np.sqrt(np.array(variance["bound"])) * 1e6
    return figures | {
        "bound_sigma_fgs1_ppm": float(np.median(sigma[:, 0])),
        "bound_sigma_airs_ppm": float(np.median(sigma[:, 1:])),
    }


def _agreement(made, curves) -> dict:
    """Frames + stage 1 against the light-curve level on the same visits: noise, drift and depth."""
    from spectramind_kit.simulator.level_agreement import compare_levels

    pairs = [
        (curve, made.visits(planet_id)[curve.visit])
        for planet_id in list(curves)[:24]
        for curve in curves[planet_id]
    ]
    return compare_levels(pairs, seed=SEED)


def _light_curve_speed(*, quick: bool) -> dict:
    from spectramind_kit.simulator import simulate_light_curves

    simulate_light_curves(4, seed=SEED)
    start, count = time.process_time(), 0
    for batch in range(1 if quick else 4):
        count += len(simulate_light_curves(64, seed=SEED, start=64 * batch))
    per_minute = 60.0 * count / (time.process_time() - start)
    return {
        "light_curve_visits_per_minute_and_core": per_minute,
        "light_curve_visits_per_minute_on_2_cores": 2.0 * per_minute,
    }


def _full_cadence(folder: Path, *, quick: bool) -> dict:
    if quick:
        return {}
    from spectramind_kit.simulator import simulate_competition

    before = time.process_time()
    simulate_competition(
        folder / "full", n_train=1, n_test=0, seed=SEED, cadence="full", two_visit_fraction=0.0
    )
    return {"cpu_s_per_full_visit": time.process_time() - before}


def _cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in _WHO)


def _megabytes(folder: Path) -> float:
    return sum(os.path.getsize(path) for path in folder.rglob("*") if path.is_file()) / 1e6
