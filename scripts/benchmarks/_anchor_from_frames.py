"""The anchor on light curves that stage 1 made from simulated frames, beside the same planets at the
light-curve level."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def from_frames(
    seed: int,
    *,
    n_train: int,
    n_test: int,
    at_light_curve_level: Callable[[int, int, str], tuple[list, np.ndarray]],
) -> dict:
    """Noise scale, chi^2 and flags of every visit, and the score of the test planets from frames and at the
    light-curve level.

    ``at_light_curve_level(n, seed, split)`` gives measurements and labels of the same planets without frames;
    its noise is another draw.
    """
    found = {split: _measure(seed, split, n) for split, n in (("train", n_train), ("test", n_test))}
    plain = {
        split: at_light_curve_level(n, seed, split) for split, n in (("train", n_train), ("test", n_test))
    }
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
    """Measurements and labels (N, 283) of the planets of a split, their frames written, read and thrown
    away."""
    from spectramind_kit.detector import build_light_curves, read_star_info
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.transit import measure_together

    with tempfile.TemporaryDirectory(prefix="anchor-frames-") as scratch:
        counts = {"n_train": n, "n_test": 0} if split == "train" else {"n_train": 0, "n_test": n}
        simulated = simulate_competition(Path(scratch) / "simulated", seed=seed, **counts)
        report = build_light_curves(simulated.data_dir, Path(scratch) / "store", split=split)
        curves: dict[int, list] = {}
        for planet, visit in report.visits:
            curves.setdefault(planet, []).append(report.store.load(planet, visit))
        stars = read_star_info(simulated.data_dir, split)
        ids: Sequence[int] = simulated.train_ids if split == "train" else simulated.test_ids
        planets = [(curves[p], stars.loc[p].to_dict()) for p in ids]
        measurements = [m for k in range(0, n, 20) for m in measure_together(planets[k : k + 20])]
        return measurements, np.array([simulated.visits(p)[0].label for p in ids])


def _score(found: dict[str, tuple[list, np.ndarray]]) -> float:
    from spectramind_kit.metric import array_score
    from spectramind_kit.transit import cross_fit

    (train, y), (test, y_test) = found["train"], found["test"]
    fitted = cross_fit(train, y, folds=5)
    anchors = [fitted.predict(m) for m in test]
    return array_score(
        y_test,
        np.array([a.depth for a in anchors]),
        np.array([a.depth_err for a in anchors]),
        naive_mean=float(y.mean()),
        naive_sigma=float(y.std()),
    )
