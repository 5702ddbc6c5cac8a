"""The anchor on light curves that stage 1 made from simulated frames, beside the same planets without."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _planets import TOGETHER, anchors_score, measured_planets

from spectramind_kit.metric import Metric


def from_frames(seed: int, *, n_train: int, n_test: int) -> dict:
    """Noise scale, chi^2 and flags of every visit, and the score of the test planets from frames and without.

    At the light-curve level the planets are the same, the noise is another draw.
    """
    frames, plain, shown = {}, {}, {}
    for split, n in (("train", n_train), ("test", n_test)):
        plain[split] = measured_planets(n, seed, split)
        frames[split] = _measure(seed, split, n)
        shown[split] = np.array([_shown(planet.visits) for planet in plain[split].planets])
    measurements = [m for split in frames.values() for m in split]
    visits = [v for m in measurements for v in m.visits]
    scales = np.array([[np.median(v.noise_scale[1:]), v.noise_scale[0]] for v in visits])
    chi2 = np.array([[v.airs_chi2, v.fgs1_chi2] for v in visits])
    flagged = [bool(m.flags) for m in measurements]
    poor = [any(f.startswith("poor fit") for f in m.flags) for m in measurements]
    labels = {split: planets.labels for split, planets in plain.items()}
    level = {split: planets.measurements for split, planets in plain.items()}
    return {
        "planets": len(measurements),
        "visits": len(visits),
        "score": _score(frames, labels),
        "score_light_curve_level": _score(level, labels),
        **_on_depths_shown(frames["test"], level, shown),
        "noise_scale_airs": float(scales[:, 0].mean()),
        "noise_scale_fgs1": float(scales[:, 1].mean()),
        "chi2_airs": float(chi2[:, 0].mean()),
        "chi2_fgs1": float(chi2[:, 1].mean()),
        "largest_chi2_airs": float(chi2[:, 0].max()),
        "largest_chi2_fgs1": float(chi2[:, 1].max()),
        "poor_fit": float(np.mean(poor)),
        "any_flag": float(np.mean(flagged)),
    }


def _shown(visits: list) -> np.ndarray:
    """(283,) depths that a planet's visits show: their labels may be far off."""
    from spectramind_kit.simulator.wavelengths import grid_to_bins

    return np.mean([grid_to_bins(visit.depth) for visit in visits], axis=0)


def _on_depths_shown(frames: list, level: dict[str, list], shown: dict[str, np.ndarray]) -> dict[str, float]:
    """What frames cost, planet by planet: labels that are off decide neither side, and both have one prior.

    Depths: of the mean AIRS-CH0 level, in planets without a flag.
    """
    from spectramind_kit.transit import apply_prior, learn_priors

    metric, y = Metric.of(shown["train"]), shown["test"]
    prior = learn_priors(level["train"], shown["train"])
    both = [[apply_prior(m, prior) for m in measured] for measured in (frames, level["test"])]
    mean, sigma = (np.array([[getattr(a, k) for a in one] for one in both]) for k in ("depth", "depth_err"))
    own, plain = (metric.planet_scores(y, *spectra) for spectra in zip(mean, sigma))
    sound = [not (a.flags or b.flags) for a, b in zip(*both)]
    deeper = 1e6 * (mean[0] - mean[1])[sound, 1:].mean(axis=1)
    return {
        "score_shown": float(own.mean()),
        "score_shown_light_curve_level": float(plain.mean()),
        "loss": float((plain - own).mean()),
        "loss_error": float((plain - own).std() / np.sqrt(len(own))),
        "median_loss": float(np.median(plain - own)),
        "deeper_ppm": float(deeper.mean()),
        "deeper_error_ppm": float(deeper.std() / np.sqrt(max(1, len(deeper)))),
    }


def must_show(figures: dict) -> dict[str, bool]:
    """What frames must not change."""
    return {
        "frames_noise_scale": all(abs(figures[f"noise_scale_{k}"] - 1.0) <= 0.05 for k in ("airs", "fgs1")),
        "frames_chi2": all(abs(figures[f"chi2_{k}"] - 1.0) <= 0.1 for k in ("airs", "fgs1")),
        "frames_poor_fit": figures["poor_fit"] < 0.03,
        "frames_any_flag": figures["any_flag"] < 0.12,
        "frames_score": figures["loss"] <= 0.01 + figures["loss_error"],
    }


def _measure(seed: int, split: str, n: int) -> list:
    """Measurements of a split; the frames are written, read and thrown away."""
    from spectramind_kit.detector import build_light_curves, read_star_info
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.transit import measure_together

    with tempfile.TemporaryDirectory(prefix="anchor-frames-") as scratch:
        counts = {"n_train": 0, "n_test": 0} | {f"n_{split}": n}
        simulated = simulate_competition(Path(scratch) / "simulated", seed=seed, **counts)
        report = build_light_curves(simulated.data_dir, Path(scratch) / "store", split=split)
        curves: dict[int, list] = {}
        for planet, visit in report.visits:
            curves.setdefault(planet, []).append(report.store.load(planet, visit))
        stars, ids = read_star_info(simulated.data_dir, split), simulated.ids(split)
        planets = [(curves[p], stars.loc[p].to_dict()) for p in ids]
        batches = (planets[k : k + TOGETHER] for k in range(0, n, TOGETHER))
        return [m for batch in batches for m in measure_together(batch)]


def _score(measured: dict[str, list], labels: dict[str, np.ndarray]) -> float:
    from spectramind_kit.transit import cross_fit

    y = labels["train"]
    fitted = cross_fit(measured["train"], y, folds=5)
    return anchors_score(Metric.of(y), labels["test"], [fitted.predict(m) for m in measured["test"]])
