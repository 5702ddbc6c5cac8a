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
    found, plain = {}, {}
    for split, n in (("train", n_train), ("test", n_test)):
        found[split] = _measure(seed, split, n)
        at_light_curve_level = measured_planets(n, seed, split)
        plain[split] = (at_light_curve_level.measurements, at_light_curve_level.labels)
    measurements = [m for split in found.values() for m in split[0]]
    visits = [v for m in measurements for v in m.visits]
    scales = np.array([[np.median(v.noise_scale[1:]), v.noise_scale[0]] for v in visits])
    chi2 = np.array([[v.airs_chi2, v.fgs1_chi2] for v in visits])
    flagged = [bool(m.flags) for m in measurements]
    poor = [any(f.startswith("poor fit") for f in m.flags) for m in measurements]
    return {
        "planets": len(measurements),
        "visits": len(visits),
        "score": _score(found),
        "score_light_curve_level": _score(plain),
        "noise_scale_airs": float(scales[:, 0].mean()),
        "noise_scale_fgs1": float(scales[:, 1].mean()),
        "chi2_airs": float(chi2[:, 0].mean()),
        "chi2_fgs1": float(chi2[:, 1].mean()),
        "largest_chi2_airs": float(chi2[:, 0].max()),
        "largest_chi2_fgs1": float(chi2[:, 1].max()),
        "poor_fit": float(np.mean(poor)),
        "any_flag": float(np.mean(flagged)),
    }


def must_show(figures: dict) -> dict[str, bool]:
    """What frames must not change."""
    return {
        "frames_noise_scale": all(abs(figures[f"noise_scale_{k}"] - 1.0) <= 0.05 for k in ("airs", "fgs1")),
        "frames_chi2": all(abs(figures[f"chi2_{k}"] - 1.0) <= 0.1 for k in ("airs", "fgs1")),
        "frames_poor_fit": figures["poor_fit"] < 0.03,
        "frames_any_flag": figures["any_flag"] < 0.12,
        "frames_score": abs(figures["score"] - figures["score_light_curve_level"]) <= 0.01,
    }


def _measure(seed: int, split: str, n: int) -> tuple[list, np.ndarray]:
    """Measurements and labels (N, 283) of a split; the frames are written, read and thrown away."""
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
        measurements = [m for batch in batches for m in measure_together(batch)]
        return measurements, np.array([simulated.visits(p)[0].label for p in ids])


def _score(found: dict[str, tuple[list, np.ndarray]]) -> float:
    from spectramind_kit.transit import cross_fit

    (train, y), (test, y_test) = found["train"], found["test"]
    fitted = cross_fit(train, y, folds=5)
    return anchors_score(Metric.of(y), y_test, [fitted.predict(m) for m in test])
