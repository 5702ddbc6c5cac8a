"""What a prior learned on simulated planets is worth where the spectra are real ones.

Planets of the default world get the shapes of real label spectra (ARIEL_REFERENCE_DATA), with amplitudes as
wide as the table of docs/decisions.md D7. A prior learned on 150 planets with their own spectra is applied to
them, and one learned on 120 of themselves.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from _planets import anchors_score

from spectramind_kit.metric import Metric
from spectramind_kit.runtime import say

SEED = 71
# std within a spectrum, ppm, at these shares of the planets (docs/decisions.md D7)
_SHARES, _STD_PPM = (0.05, 0.25, 0.50, 0.75, 0.95), (1.7, 12.0, 50.0, 165.0, 657.0)


def run(*, quick: bool = False) -> dict[str, float]:
    """`transfer_gap`: by how much the foreign prior scores less than the planets' own. Quick: 30, 24 and 20
    planets."""
    import torch

    path = Path(os.environ.get("ARIEL_REFERENCE_DATA", "")) / "spectra_2024.npz"
    if not path.is_file():
        say("ARIEL_REFERENCE_DATA names no folder with spectra_2024.npz: nothing to measure")
        return {}
    torch.set_num_threads(1)
    n_foreign, n_own, n_test = (30, 24, 20) if quick else (150, 120, 150)
    with np.load(path) as real:
        shapes = _unit_shapes(np.concatenate([real[name] for name in real.files]).astype(float))
    foreign = _measured(range(n_foreign), None)
    real_planets = _measured(range(n_foreign, n_foreign + n_own + n_test), shapes)
    own, test = (tuple(part[rows] for part in real_planets) for rows in (slice(n_own), slice(n_own, None)))
    figures = {}
    for name, learn in (("own", own), ("foreign", foreign)):
        figures[f"score_{name}_prior"] = _score(learn, test, Metric.of(own[1]))
    return figures | {"transfer_gap": figures["score_own_prior"] - figures["score_foreign_prior"]}


def _unit_shapes(spectra: np.ndarray) -> np.ndarray:
    """(N, 283), AIRS-CH0 of mean 0 and std 1, FGS1 in the same unit."""
    airs = spectra[:, 1:]
    return (spectra - airs.mean(1, keepdims=True)) / airs.std(1, keepdims=True)


def _measured(indices: range, shapes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Measurements (N,) and labels (N, 283) of planets, with their own spectra or with ``shapes``."""
    from spectramind_kit.simulator import draw_visits, light_curves_of
    from spectramind_kit.transit import measure_together

    measurements, labels = [], []
    for index in indices:
        visits = draw_visits(SEED, "train", index)
        if shapes is not None:
            visits = _with_shape(visits, shapes[index % len(shapes)], np.random.default_rng([SEED, index]))
        batch = light_curves_of(visits, seed=SEED, start=2 * index)
        planet = next(iter(batch.planets()))
        measurements += measure_together([(planet.curves, planet.star)])
        labels.append(planet.label)
    together = np.empty(len(measurements), dtype=object)
    together[:] = measurements
    return together, np.array(labels)


def _with_shape(visits, shape: np.ndarray, rng: np.random.Generator):
    """The visits with another label, and each visit's mismatch kept."""
    from spectramind_kit.simulator.wavelengths import BIN_INDEX

    label = visits[0].label
    log_std = np.interp(rng.uniform(0.02, 0.98), _SHARES, np.log(_STD_PPM))
    std = min(1e-6 * float(np.exp(log_std)), 0.1 * label[1:].mean())
    wanted = np.maximum(label[1:].mean() + std * shape, 0.2 * label[1:].mean())
    changed = []
    for visit in visits:
        depth = visit.depth.copy()
        depth[BIN_INDEX] *= wanted / label
        changed.append(replace(visit, label=wanted, depth=depth))
    return changed


def _score(learn, test, metric: Metric) -> float:
    from spectramind_kit.transit import cross_fit

    fitted = cross_fit(list(learn[0]), learn[1], metric=metric)
    return anchors_score(metric, test[1], [fitted.predict(m) for m in test[0]])
