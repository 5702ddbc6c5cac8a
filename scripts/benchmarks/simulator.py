"""The simulator: real against simulated numbers, the flat-depth baseline, the bound, agreement of the two
levels, costs."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from spectramind_kit.runtime import cpu_count, progress, say

SEED = 2025


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
        rows = _table(made, truths, quick=quick)
        figures |= {
            "table": [row.as_dict() for row in rows],
            "rows": len(rows),
            "rows_that_agree": sum(row.agrees for row in rows),
            "rows_without_agreement_or_reason": [
                row.quantity for row in rows if not row.agrees and not row.reason
            ],
        }
        _print(rows)
        curves = _light_curves(made)
        figures |= _flat_baseline(made, curves)
        figures |= _bounds(truths)
        figures["agreement"] = _agreement(made, curves)
        figures |= _light_curve_speed(quick=quick)
        figures |= _full_cadence(folder, quick=quick)
        figures["peak_memory_mb"] = (
            max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            / 1e3
        )
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(made, truths, *, quick: bool):
    """Rows about planets and labels from the tables of 1,100 planets, as many as the real ones (200 would
    scatter by more than the tolerance); rows about light from the simulated visits; rows about the detector
    from frames."""
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
        *comparison.light_rows([v for planet in truths for v in planet]),
        *reference_rows(firsts[0], maps, seed=SEED, quick=quick),
    ]


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
    """One white-light depth per planet and one sigma for all, both fitted on one half of the planets and
    scored on the other."""
    from spectramind_kit.detector.layout import read_labels
    from spectramind_kit.inference.flat_depth import fit_flat_baseline, flat_depths
    from spectramind_kit.metric import array_score

    labels = read_labels(made.data_dir)
    flat = flat_depths(curves)
    ids = np.array(sorted(curves))
    depth, estimate = labels.loc[ids].to_numpy(), np.array([flat[i] for i in ids])
    estimate = np.where(np.isfinite(estimate), estimate, np.nanmedian(estimate))
    naive = {"naive_mean": float(depth.mean()), "naive_sigma": float(depth.std())}
    scores = []
    for half in (0, 1):
        learn = np.arange(len(ids)) % 2 == half
        ratio, sigma = fit_flat_baseline(depth[learn], estimate[learn], naive=naive)
        mean = np.maximum(ratio * np.repeat(estimate[~learn, None], 283, axis=1), 0.0)
        scores.append(array_score(depth[~learn], mean, np.full_like(mean, sigma), **naive))
    return {"flat_baseline": float(np.mean(scores))}


def _bounds(truths) -> dict:
    """Expected score of perfect linear-Gaussian inference, step by step."""
    from spectramind_kit.simulator import draw_visits
    from spectramind_kit.simulator.bound import (
        combine_information,
        expected_score,
        learn_knowledge,
        visit_information,
    )

    population = np.array([draw_visits(SEED + 1, "train", k)[0].label for k in range(1000)])
    knowledge = learn_knowledge(population, seed=SEED)
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
            variance[name].append(
                np.diag(combine_information(informations, visits[0].label, knowledge, **options))
            )
    naive = {"naive_mean": knowledge.naive_mean, "naive_sigma": knowledge.naive_sigma}
    figures = {name: expected_score(labels, np.array(values), **naive) for name, values in variance.items()}
    sigma = np.sqrt(np.array(variance["bound"])) * 1e6
    return figures | {
        "bound_sigma_fgs1_ppm": float(np.median(sigma[:, 0])),
        "bound_sigma_airs_ppm": float(np.median(sigma[:, 1:])),
    }


def _agreement(made, curves) -> dict:
    """Frames + stage 1 against the light-curve level on the same visits: noise, drift and depth, as ratios or
    differences."""
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
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _megabytes(folder: Path) -> float:
    return sum(os.path.getsize(path) for path in folder.rglob("*") if path.is_file()) / 1e6
