"""The anchor: score against the flat baseline and the bound, pulls, seconds per visit against a generic
optimiser, hard cases."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from _anchor_from_frames import from_frames, must_show

from spectramind_kit.runtime import progress, say

SEEDS = (11, 12, 13)
TRAIN, TEST = 200, 300
FRAMES = (100, 100)  # train and test planets whose frames are made
TOGETHER = 20  # planets that are measured in one go, as the worker processes of a run do


def run(*, quick: bool = False) -> dict:
    """Three seeds of 200 train and 300 test planets (quick: one of 40 and 20), reduced cadence; prints a
    table.

    The planets are those of `simulate_competition`, taken at the light-curve level (stage 1's output without
    its files); SPECTRAMIND_ANCHOR_TRAIN, _TEST and _SEEDS set other sizes.
    """
    import torch

    torch.set_num_threads(1)
    seeds = SEEDS[: int(os.environ.get("SPECTRAMIND_ANCHOR_SEEDS", 1 if quick else len(SEEDS)))]
    n_train = int(os.environ.get("SPECTRAMIND_ANCHOR_TRAIN", 40 if quick else TRAIN))
    n_test = int(os.environ.get("SPECTRAMIND_ANCHOR_TEST", 20 if quick else TEST))
    rows = [_one_seed(seed, n_train, n_test) for seed in seeds]
    figures = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    # groups: FGS1, then six parts of AIRS-CH0; biases average over the seeds before the largest is taken
    figures["group_bias_error"] /= math.sqrt(len(rows))
    figures["largest_group_bias"] = max(abs(figures[f"bias_group_{k}"]) for k in range(7))
    figures |= {
        "by_seed": {str(seed): row for seed, row in zip(seeds, rows)},
        "train": n_train,
        "test": n_test,
    }
    figures |= _speed(seeds[0])
    figures["hard_cases"] = _hard_cases(seeds[0])
    frames = (8, 4) if quick else FRAMES
    figures["from_frames"] = from_frames(
        seeds[0],
        n_train=frames[0],
        n_test=frames[1],
        at_light_curve_level=lambda n, seed, split: _measure_all(n, seed, split)[:2],
    )
    figures["must_show"] = {
        "1_score_over_flat": figures["anchor_score"] >= figures["flat_baseline"] + 0.15,
        "1_share_of_bound": figures["anchor_score"] >= 0.92 * figures["bound"],
        "2_pull_width": all(abs(figures[k] - 1.0) <= 0.1 for k in ("pull_width_fgs1", "pull_width_airs")),
        "2_group_bias": figures["largest_group_bias"] <= 0.1,
        "3_seconds": figures["seconds_per_visit"] <= 0.5,
        "3_ratio": figures["generic_over_ours"] >= 50.0,
        "4_hard_cases": all(
            case["largest_pull"] < 4.0 and case["flagged"] for case in figures["hard_cases"].values()
        ),
        **must_show(figures["from_frames"]),
    }
    _print(figures)
    return figures


# ---------------------------------------------------------------- 1 and 2: score and pulls


def _simulate(n: int, seed: int, split: str):
    """Per planet: light curves, star-table row, label, true visits."""
    for start in range(0, n, TOGETHER):
        yield from _simulate_batch(min(TOGETHER, n - start), seed, split, start)


def _simulate_batch(n: int, seed: int, split: str, start: int):
    from spectramind_kit.simulator import simulate_light_curves

    batch = simulate_light_curves(n, seed=seed, split=split, start=start)
    ids = batch.planet_id.numpy()
    for planet_id in dict.fromkeys(ids.tolist()):
        own = np.flatnonzero(ids == planet_id)
        truths = [batch.visits[k] for k in own]
        yield (
            [batch.light_curve(int(k)) for k in own],
            truths[0].planet.catalogue_row(),
            batch.depth[own[0]].numpy(),
            truths,
        )


def _measure_all(n: int, seed: int, split: str):
    from spectramind_kit.transit import measure_together

    measurements, labels, truths, curves_of, seconds, visits = [], [], [], {}, 0.0, 0
    for first in progress(range(0, n, TOGETHER), desc=f"seed {seed} {split}", unit=f"x {TOGETHER} planets"):
        planets = list(_simulate_batch(min(TOGETHER, n - first), seed, split, first))
        start = time.process_time()
        measurements += measure_together([(curves, star) for curves, star, _, _ in planets])
        seconds, visits = seconds + time.process_time() - start, visits + sum(len(p[0]) for p in planets)
        for curves, _, label, truth in planets:
            labels.append(label)
            truths.append(truth)
            curves_of[curves[0].planet_id] = curves
    return measurements, np.array(labels), truths, curves_of, seconds / visits


def _one_seed(seed: int, n_train: int, n_test: int) -> dict[str, float]:
    from spectramind_kit.metric import array_score
    from spectramind_kit.transit import apply_prior, cross_fit

    train, y, _, train_curves, _ = _measure_all(n_train, seed, "train")
    test, y_test, truths, test_curves, measure_s = _measure_all(n_test, seed, "test")
    naive = {"naive_mean": float(y.mean()), "naive_sigma": float(y.std())}
    fitted = cross_fit(train, y, folds=5)
    start = time.process_time()
    anchors = [fitted.predict(m) for m in test]
    predict_s = (time.process_time() - start) / sum(len(c) for c in test_curves.values())
    mean, sigma = np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])
    plain = [apply_prior(m, fitted.prior) for m in test]
    pull = (mean - y_test) / sigma
    groups = [slice(0, 1)] + [slice(1 + 47 * k, 1 + 47 * (k + 1)) for k in range(6)]
    return {
        "anchor_score": array_score(y_test, mean, sigma, **naive),
        "score_uncalibrated": array_score(
            y_test, np.array([a.depth for a in plain]), np.array([a.depth_err for a in plain]), **naive
        ),
        "score_out_of_fold": array_score(
            y,
            np.array([a.depth for a in fitted.anchors]),
            np.array([a.depth_err for a in fitted.anchors]),
            **naive,
        ),
        "flat_baseline": _flat_baseline(train_curves, y, test_curves, y_test, naive),
        "bound": _bound(truths, y_test, seed, naive),
        "pull_width_fgs1": float(pull[:, 0].std()),
        "pull_width_airs": float(pull[:, 1:].std()),
        **{f"bias_group_{k}": float(pull[:, g].mean()) for k, g in enumerate(groups)},
        "group_bias_error": float(max(pull[:, g].mean(1).std() for g in groups) / math.sqrt(n_test)),
        "median_sigma_fgs1_ppm": float(1e6 * np.median(sigma[:, 0])),
        "median_sigma_airs_ppm": float(1e6 * np.median(sigma[:, 1:])),
        "rms_fgs1_ppm": float(1e6 * np.sqrt(np.mean((mean - y_test)[:, 0] ** 2))),
        "rms_airs_ppm": float(1e6 * np.sqrt(np.mean((mean - y_test)[:, 1:] ** 2))),
        "calibrated": float(not fitted.calibration.identity),
        "seconds_per_visit": measure_s + predict_s,
    }


def _flat_baseline(train_curves, y, test_curves, y_test, naive) -> float:
    """One white-light depth per planet and one sigma for all, fitted on train."""
    from spectramind_kit.inference.flat_depth import fit_flat_baseline, flat_depths
    from spectramind_kit.metric import array_score

    estimates = []
    for curves in (train_curves, test_curves):
        flat = flat_depths(curves)
        values = np.array([flat[k] for k in curves])
        estimates.append(np.where(np.isfinite(values), values, np.nanmedian(values)))
    ratio, sigma = fit_flat_baseline(y, estimates[0], naive=naive)
    mean = np.maximum(ratio * np.repeat(estimates[1][:, None], y.shape[1], axis=1), 0.0)
    return array_score(y_test, mean, np.full_like(mean, sigma), **naive)


def _bound(truths, y_test: np.ndarray, seed: int, naive) -> float:
    """Fisher information with everything marginalised, spectral prior and label mismatch included."""
    from spectramind_kit.simulator import draw_visits
    from spectramind_kit.simulator.bound import expected_score, learn_knowledge, posterior_covariance

    knowledge = learn_knowledge(
        np.array([draw_visits(seed + 100, "train", k)[0].label for k in range(600)]), seed=seed
    )
    variance = np.array(
        [
            np.diag(posterior_covariance(visits, knowledge))
            for visits in progress(truths, desc="bound", unit="planet")
        ]
    )
    return expected_score(y_test, variance, **naive)


# ---------------------------------------------------------------- 3: against a generic optimiser


def _speed(seed: int) -> dict[str, float]:
    """batman + scipy least_squares for each wavelength of one visit (12 of 283 timed), and ours on the same
    visit; planets alone against planets together, and on a GPU where there is one."""
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.transit import apply_prior, measure_depths, measure_together

    planets = [(curves[:1], star) for curves, star, _, _ in _simulate(TOGETHER, seed, "test")]
    curves, star = planets[0]
    measure_depths(curves, star)
    start = time.process_time()
    for _ in range(3):
        apply_prior(measure_depths(curves, star))
    ours = (time.process_time() - start) / 3.0
    start = time.process_time()
    for one in planets:
        measure_depths(*one)
    alone = (time.process_time() - start) / len(planets)
    start = time.process_time()
    measure_together(planets)
    together = (time.process_time() - start) / len(planets)
    figures = {"seconds_alone": alone, "seconds_together": together, "alone_over_together": alone / together}
    device = probe_device()
    if device.kind == "cuda":
        measure_together(planets, device=device.name)
        start = time.perf_counter()
        measure_together(planets * 6, device=device.name)
        figures["gpu_seconds"] = (time.perf_counter() - start) / (6 * len(planets))
        figures["cpu_over_gpu"] = together / figures["gpu_seconds"]
    return figures | _generic(curves[0], star, ours)


def _generic(curve, star, ours: float) -> dict[str, float]:
    try:
        import batman
        from scipy.optimize import least_squares
    except ImportError as error:
        say(f"the generic optimiser is not measured: {error}")
        return {"seconds_one_visit": ours, "generic_seconds": math.nan, "generic_over_ours": math.nan}
    columns = np.linspace(0, 282, 12).astype(int)
    params = batman.TransitParams()
    params.per, params.ecc, params.w, params.limb_dark = star["P"], 0.0, 90.0, "quadratic"
    days = curve.time / 24.0
    x = np.linspace(-1.0, 1.0, len(days))

    def model(p):
        params.t0, params.rp, params.a, params.inc, params.u = (
            p[0] / 24.0,
            abs(p[1]),
            p[2],
            min(p[3], 90.0),
            [p[4], p[5]],
        )
        transit = batman.TransitModel(params, days, supersample_factor=3, exp_time=curve.exposure_h / 24.0)
        return transit.light_curve(params) * (p[6] + p[7] * x + p[8] * x**2 + p[9] * x**3)

    start = time.process_time()
    for k in columns:
        flux, err = curve.flux[:, k].astype(float), curve.flux_err[:, k]
        scale = np.median(flux)
        first = np.array([curve.time.mean(), 0.11, star["sma"], star["i"], 0.2, 0.13, 1.0, 0.0, 0.0, 0.0])
        least_squares(lambda p, f=flux / scale, e=err / scale: (f - model(p)) / e, first, x_scale="jac")
    generic = (time.process_time() - start) * 283 / len(columns)
    return {"seconds_one_visit": ours, "generic_seconds": generic, "generic_over_ours": generic / ours}


# ---------------------------------------------------------------- 4: hard cases


def _hard_cases(seed: int) -> dict[str, dict]:
    """Cases made from simulated visits and altered light curves: largest |pull|, flags."""
    from spectramind_kit.simulator import light_curves_of

    truths = [truth for _, _, _, visits in _simulate(12, seed, "test") for truth in visits[:1]]
    # short, central
    plain = min(
        truths, key=lambda v: v.planet.period_d / v.planet.semi_major_axis + v.planet.impact_parameter
    )

    def redraw(truth, **planet):
        return replace(truth, planet=replace(truth.planet, **planet)) if planet else truth

    def curve(truth, visit: int = 0):
        batch = light_curves_of([truth], seed=seed + 7 + visit)
        return replace(batch.light_curve(0), planet_id=1, visit=visit)

    def tilted(b: float):
        inclination = math.degrees(math.acos(b / plain.planet.semi_major_axis))
        return redraw(plain, inclination_deg=inclination, catalogue_inclination_deg=inclination)

    shallow = replace(
        plain, depth=plain.depth * 7e-4 / plain.depth.mean(), label=plain.label * 7e-4 / plain.label.mean()
    )
    glitch = curve(plain)
    glitch = replace(
        glitch,
        flux=np.where((np.arange(len(glitch.time)) % 187 // 12 == 2)[:, None], 0.992, 1.0) * glitch.flux,
    )
    twin = replace(plain, depth=plain.depth * 1.06)
    missed = tilted(1.0 + 1.6 * math.sqrt(plain.planet.depth))
    cases = {
        "incomplete": ([curve(replace(plain, mid_transit_time=0.6))], plain, 1.0, "incomplete"),
        "t0 at the edge": ([curve(replace(plain, mid_transit_time=7.4))], plain, 1.0, "incomplete"),
        "b = 0.85": ([curve(tilted(0.85))], plain, 1.0, "grazing"),
        "b = 1.05": ([curve(tilted(1.05))], plain, 1.0, "grazing"),
        "no transit at all": ([curve(missed)], missed, 1.0, "shallow"),
        "depth 0.07 %": ([curve(shallow)], shallow, 1.0, "shallow"),
        "visits disagree": ([curve(plain), curve(twin, 1)], plain, 1.03, "disagree"),
        "outlier run": ([glitch], plain, 1.0, "outliers"),
    }
    return {
        name: _one_case(curves, truth, factor, flag) for name, (curves, truth, factor, flag) in cases.items()
    }


def _one_case(curves: Sequence, truth, factor: float, flag: str) -> dict:
    from spectramind_kit.simulator.wavelengths import grid_to_bins
    from spectramind_kit.transit import fit_anchor

    anchor = fit_anchor(list(curves), truth.planet.catalogue_row())
    # what the light curve shows; a label that differs is no fault of the fit
    depth = grid_to_bins(truth.depth) * factor
    pull = np.abs(anchor.depth - depth) / anchor.depth_err
    return {
        "largest_pull": float(pull.max()),
        "sigma_airs_ppm": float(1e6 * np.median(anchor.depth_err[1:])),
        "flagged": any(flag in f for f in anchor.flags),
        "flags": ", ".join(anchor.flags),
    }


def _print(figures: dict) -> None:
    rows = [
        ("anchor score", "anchor_score"),
        ("  without calibration", "score_uncalibrated"),
        ("  train, out of fold", "score_out_of_fold"),
        ("flat baseline", "flat_baseline"),
        ("bound", "bound"),
        ("pull width FGS1", "pull_width_fgs1"),
        ("pull width AIRS-CH0", "pull_width_airs"),
        ("largest bias of a group", "largest_group_bias"),
        ("  its error", "group_bias_error"),
        ("seconds per visit (CPU)", "seconds_per_visit"),
        ("planets alone / together", "alone_over_together"),
        ("generic / ours", "generic_over_ours"),
    ]
    for label, name in rows:
        by_seed = "  ".join(f"{row[name]:.4f}" for row in figures["by_seed"].values() if name in row)
        say(f"{label:28} {figures[name]:10.4f}   {by_seed}")
    frames = figures["from_frames"]
    say(
        f"{'from frames':28} score {frames['score']:.4f}, the same planets at the light-curve level "
        f"{frames['score_light_curve_level']:.4f}"
    )
    say(
        f"{'':28} noise scale {frames['noise_scale_airs']:.3f} and {frames['noise_scale_fgs1']:.3f}, chi^2 "
        f"{frames['chi2_airs']:.3f} and "
        f"{frames['chi2_fgs1']:.3f} (AIRS-CH0, FGS1), poor fit {frames['poor_fit']:.1%}, any flag "
        f"{frames['any_flag']:.1%}"
    )
    for name, case in figures["hard_cases"].items():
        say(
            f"{name:28} |pull| < {case['largest_pull']:.2f}, sigma {case['sigma_airs_ppm']:.0f} ppm, "
            f"{case['flags'] or 'no flag'}"
        )
    for name, passed in figures["must_show"].items():
        say(f"{name:28} {'yes' if passed else 'NO'}")
