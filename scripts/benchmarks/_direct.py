"""Planets of a world as the direct prediction reads them, and trainings of it; functions for worker
processes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _planets import TOGETHER

from spectramind_kit.metric import Metric
from spectramind_kit.simulator import SimulatedPlanet, simulate_light_curves, world

BOTH = ("model/decoder=both", "model/size=shipped")


def planets_of(name: str, seed: int, split: str, n: int) -> list[SimulatedPlanet]:
    """Planets 0 … n of a split of a world."""
    found: list[SimulatedPlanet] = []
    for start in range(0, n, TOGETHER):
        size = min(TOGETHER, n - start)
        batch = simulate_light_curves(size, seed=seed, split=split, start=start, settings=world(name))
        found += list(batch.planets())
    return found


def labels_of(planets: Sequence[SimulatedPlanet]) -> np.ndarray:
    """(N, 283)"""
    return np.array([planet.label for planet in planets])


def read(planets: Sequence[SimulatedPlanet], normaliser=None):
    """A `VisitDataset` of the planets, which are numbered; its own normaliser where none is given."""
    from dataclasses import replace

    from spectramind_kit.training.dataset import VisitDataset
    from spectramind_kit.training.direct_rows import direct_rows
    from spectramind_kit.training.normaliser import Normaliser

    curves = {k: [replace(c, planet_id=k) for c in planet.curves] for k, planet in enumerate(planets)}
    rows = direct_rows(curves, stars=pd.DataFrame([planet.star for planet in planets]))
    normaliser = normaliser or Normaliser.fit(rows)
    return VisitDataset(rows, normaliser=normaliser, depth=dict(enumerate(labels_of(planets))))


@dataclass(frozen=True)
class Spectra:
    """Predictions of N planets, NaN for those in which no transit was found."""

    mean: np.ndarray  # (N, 283)
    sigma: np.ndarray  # (N, 283)

    def score(self, metric: Metric, labels: np.ndarray) -> float:
        """Official, not clipped; planets without a prediction count as naive."""
        naive = metric.naive(labels.shape)
        seen = np.isfinite(self.mean).all(axis=1, keepdims=True)
        mean, sigma = np.where(seen, self.mean, naive[0]), np.where(seen, self.sigma, naive[1])
        return metric.score(labels, mean, sigma, clip=False)


def shipped_model():
    """The network as it comes with the kit, and what normalises its features."""
    from spectramind_kit.models.build import build_model
    from spectramind_kit.training.pretrained import load_pretrained

    start = load_pretrained()
    features = {
        "bin_features": len(start.normaliser.bin_mean),
        "star_features": len(start.normaliser.star_mean),
    }
    model = build_model(start.card["config"], **features)
    model.load_state_dict(start.state)
    return model, start.normaliser


def predict(model, dataset, n_planets: int) -> Spectra:
    """Of planets 0 … n, both directions of time averaged."""
    from spectramind_kit.training.evaluation import evaluate_rows, planets_of_rows, spread

    found = evaluate_rows(model, dataset, np.arange(len(dataset)), flip_average=True)
    found = planets_of_rows(dataset.planet_id, found)
    mean, sigma = (
        spread(found[f"depth_{name}"], found["planet_id"], n_planets) for name in ("mean", "sigma")
    )
    return Spectra(mean, sigma)


def train(
    planets: Sequence[SimulatedPlanet],
    held: Sequence[SimulatedPlanet],
    metric: Metric,
    *,
    seed: int,
    start: bool,
    overrides: Sequence[str] = (),
):
    """`train_fold` on the planets, from the shipped weights or from scratch; the held ones are only scored.

    Returns the result and the records of its epochs.
    """
    import torch

    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.models.build import build_model
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.training.evaluation import HeldOut
    from spectramind_kit.training.loop import Fold, train_fold
    from spectramind_kit.training.settings import TrainSettings

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = load_config(overrides=[*BOTH, *overrides])
    model, normaliser = shipped_model() if start else (None, None)
    dataset = read([*planets, *held], normaliser)
    if model is None:
        model = build_model(config.model, **dataset.features)
    loss = instantiate(to_plain(config.loss), where="loss", given={"metric": metric})
    ids = np.arange(len(planets) + len(held))
    own, others = (dataset.rows_of(part) for part in (ids[: len(planets)], ids[len(planets) :]))
    settings = dict(config.train)
    if start:
        settings["learning_rate"] = settings["fine_tune_learning_rate"]
    records: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        fold = Fold(
            0, own, HeldOut(dataset, others, metric), seed, Path(folder) / "fold_0.pt", "b", pretrained=start
        )
        result = train_fold(
            model,
            loss,
            fold,
            settings=TrainSettings(**settings),
            device=probe_device("cpu"),
            log=lambda _, **fields: records.append(fields),
        )
    return result, records
