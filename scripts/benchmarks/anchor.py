"""The anchor: score against the flat baseline and the bound, pulls, speed, hard cases."""

from __future__ import annotations

import math
import os
import time

import numpy as np
from _anchor_from_frames import from_frames, must_show
from _anchor_hard_cases import hard_cases
from _anchor_speed import speed_figures
from _planets import anchors_score, flat_score, measured_planets, population_labels

from spectramind_kit.metric import Metric
from spectramind_kit.robust import mad_sigma
from spectramind_kit.runtime import progress, say

SEEDS = (11, 12, 13)
TRAIN, TEST = 200, 300
FEW = 60  # train planets of which a second prior is learned
FRAMES = (100, 100)  # train and test planets whose frames are made


def run(*, quick: bool = False) -> dict:
    """Three seeds of 200 train and 300 test planets (quick: one of 40 and 20); prints a table.

    The planets are those of `simulate_competition`, taken at the light-curve level (stage 1's output without
    its files); SPECTRAMIND_ANCHOR_TRAIN, _TEST and _SEEDS set other sizes.
    """
    import torch

    torch.set_num_threads(1)
    seeds = SEEDS[: int(os.environ.get("SPECTRAMIND_ANCHOR_SEEDS", 1 if quick else len(SEEDS)))]
    n_train = int(os.environ.get("SPECTRAMIND_ANCHOR_TRAIN", 40 if quick else TRAIN))
    n_test = int(os.environ.get("SPECTRAMIND_ANCHOR_TEST", 20 if quick else TEST))
    rows = {str(seed): _one_seed(seed, n_train, n_test) for seed in seeds}
    names = list(rows[str(seeds[0])])
    figures = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
    # groups: FGS1, then six parts of AIRS-CH0; biases average over the seeds before the largest is taken
    figures["group_bias_error"] /= math.sqrt(len(rows))
    figures["largest_group_bias"] = max(abs(figures[f"bias_group_{k}"]) for k in range(7))
    figures |= {"by_seed": rows, "train": n_train, "test": n_test, **speed_figures(seeds[0])}
    figures["hard_cases"] = hard_cases(seeds[0])
    frames = (8, 4) if quick else FRAMES
    figures["from_frames"] = from_frames(seeds[0], n_train=frames[0], n_test=frames[1])
    cases = figures["hard_cases"].values()
    figures["must_show"] = {
        "1_score_over_flat": figures["anchor_score"] >= figures["flat_baseline"] + 0.15,
        "1_share_of_bound": figures["anchor_score"] >= 0.92 * figures["bound"],
        "2_pull_width": all(abs(figures[k] - 1.0) <= 0.1 for k in ("pull_width_fgs1", "pull_width_airs")),
        "2_group_bias": figures["largest_group_bias"] <= 0.1,
        "3_seconds": figures["seconds_per_visit"] <= 0.5,
        "3_ratio": figures["generic_over_ours"] >= 50.0,
        "4_hard_cases": all(case["largest_pull"] < 4.0 and case["flagged"] for case in cases),
        **must_show(figures["from_frames"]),
    }
    _print(figures)
    return figures


def _one_seed(seed: int, n_train: int, n_test: int) -> dict[str, float]:
    from spectramind_kit.transit import apply_prior, cross_fit

    train, test = measured_planets(n_train, seed, "train"), measured_planets(n_test, seed, "test")
    y, y_test = train.labels, test.labels
    metric = Metric.of(y)
    start = time.process_time()
    fitted = cross_fit(train.measurements, y, folds=5)
    cross_fit_s = (time.process_time() - start) / n_train
    few = cross_fit(train.measurements[:FEW], y[:FEW], folds=5, metric=metric)
    start = time.process_time()
    anchors = [fitted.predict(m) for m in test.measurements]
    predict_s = (time.process_time() - start) / test.n_visits
    mean, sigma = np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])
    plain = [apply_prior(m, fitted.prior) for m in test.measurements]
    flat = flat_score((y, train.flat_estimates()), (y_test, test.flat_estimates()), metric)
    pull, error = (mean - y_test) / sigma, mean - y_test
    groups = [slice(0, 1)] + [slice(1 + 47 * k, 1 + 47 * (k + 1)) for k in range(6)]
    return {
        "anchor_score": metric.score(y_test, mean, sigma),
        "score_uncalibrated": anchors_score(metric, y_test, plain),
        "score_out_of_fold": anchors_score(metric, y, fitted.anchors),
        "score_of_few": anchors_score(metric, y_test, [few.predict(m) for m in test.measurements]),
        "flat_baseline": flat,
        "bound": _bound([planet.visits for planet in test.planets], seed, metric),
        "pull_width_fgs1": float(pull[:, 0].std()),
        "pull_width_airs": float(pull[:, 1:].std()),
        **_level_and_shape(anchors, y_test),
        **{f"bias_group_{k}": float(pull[:, g].mean()) for k, g in enumerate(groups)},
        "group_bias_error": float(max(pull[:, g].mean(1).std() for g in groups) / math.sqrt(n_test)),
        "median_sigma_fgs1_ppm": float(1e6 * np.median(sigma[:, 0])),
        "median_sigma_airs_ppm": float(1e6 * np.median(sigma[:, 1:])),
        "rms_fgs1_ppm": float(1e6 * np.sqrt(np.mean(error[:, 0] ** 2))),
        "rms_airs_ppm": float(1e6 * np.sqrt(np.mean(error[:, 1:] ** 2))),
        "calibrated": float(not fitted.calibration.identity),
        "seconds_per_visit": test.seconds_per_visit + predict_s,
        "cross_fit_seconds_per_planet": cross_fit_s,
    }


def _level_and_shape(anchors, labels: np.ndarray) -> dict[str, float]:
    """Widths of the pulls of the mean over AIRS-CH0 and of the spectrum about it, and of their middles."""
    level, shape = [], []
    for anchor, label in zip(anchors, labels):
        error, covariance = (anchor.depth - label)[1:], anchor.covariance[1:, 1:]
        rows = covariance.mean(axis=1)
        level.append(error.mean() / math.sqrt(covariance.mean()))
        about = np.diag(covariance) - 2.0 * rows + covariance.mean()
        shape.append((error - error.mean()) / np.sqrt(about.clip(1e-14)))
    return {
        "pull_width_level": float(np.std(level)),
        "pull_width_shape": float(np.std(shape)),
        "pull_middle_level": float(mad_sigma(np.array(level))),
        "pull_middle_shape": float(mad_sigma(np.array(shape).ravel())),
    }


def _bound(truths: list, seed: int, metric: Metric) -> float:
    """Fisher information with everything marginalised, spectral prior and label mismatch included."""
    from spectramind_kit.simulator.bound import expected_score, learn_knowledge, posterior_covariance

    knowledge = learn_knowledge(population_labels(600, seed + 100), seed=seed)
    labels = np.array([visits[0].label for visits in truths])
    progressing = progress(truths, desc="bound", unit="planet")
    variance = [np.diag(posterior_covariance(visits, knowledge)) for visits in progressing]
    return expected_score(labels, np.array(variance), metric=metric)


def _print(figures: dict) -> None:
    rows = [
        ("anchor score", "anchor_score"),
        ("  without calibration", "score_uncalibrated"),
        ("  train, out of fold", "score_out_of_fold"),
        (f"  learned on {FEW}", "score_of_few"),
        ("flat baseline", "flat_baseline"),
        ("bound", "bound"),
        ("pull width FGS1", "pull_width_fgs1"),
        ("pull width AIRS-CH0", "pull_width_airs"),
        ("  of the level", "pull_width_level"),
        ("  of the shape", "pull_width_shape"),
        ("largest bias of a group", "largest_group_bias"),
        ("  its error", "group_bias_error"),
        ("seconds per visit (CPU)", "seconds_per_visit"),
        ("cross_fit, per planet (CPU)", "cross_fit_seconds_per_planet"),
        ("planets alone / together", "alone_over_together"),
        ("generic / ours", "generic_over_ours"),
    ]
    for label, name in rows:
        by_seed = "  ".join(f"{row[name]:.4f}" for row in figures["by_seed"].values() if name in row)
        say(f"{label:28} {figures[name]:10.4f}   {by_seed}")
    frames = figures["from_frames"]
    level = f"the same planets at the light-curve level {frames['score_light_curve_level']:.4f}"
    say(f"{'from frames':28} score {frames['score']:.4f}, {level}")
    loss = f"{frames['loss']:.4f} ± {frames['loss_error']:.4f}, median {frames['median_loss']:.4f}"
    deeper = f"{frames['deeper_ppm']:.1f} ± {frames['deeper_error_ppm']:.1f} ppm"
    say(f"{'':28} on the depths shown, one prior: frames lose {loss}; deeper by {deeper}")
    noise = f"noise scale {frames['noise_scale_airs']:.3f} and {frames['noise_scale_fgs1']:.3f}"
    chi2 = f"chi^2 {frames['chi2_airs']:.3f} and {frames['chi2_fgs1']:.3f} (AIRS-CH0, FGS1)"
    flags = f"poor fit {frames['poor_fit']:.1%}, any flag {frames['any_flag']:.1%}"
    say(f"{'':28} {noise}, {chi2}, {flags}")
    for name, case in figures["hard_cases"].items():
        say(
            f"{name:28} |pull| < {case['largest_pull']:.2f}, sigma {case['sigma_airs_ppm']:.0f} ppm, "
            f"{case['flags'] or 'no flag'}"
        )
    for name, passed in figures["must_show"].items():
        say(f"{name:28} {'yes' if passed else 'NO'}")
