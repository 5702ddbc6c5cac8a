"""Planets of a world as the direct prediction reads them, and trainings of it; functions for worker
processes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from _planets import simulated_planets

from spectramind_kit.metric import Metric
from spectramind_kit.simulator import SimulatedPlanet
from spectramind_kit.training.evaluation import HeldOut
from spectramind_kit.training.pretrained import Pretrained

BOTH = ("model/decoder=both", "model/size=shipped")


def planets_of(name: str, seed: int, split: str, n: int) -> list[SimulatedPlanet]:
    """Planets 0 … n of a split of a world."""
    return [planet for batch in simulated_planets(n, seed, split, name) for planet in batch]


def labels_of(planets: Sequence[SimulatedPlanet]) -> np.ndarray:
    """(N, 283)"""
    return np.array([planet.label for planet in planets])


def read(planets: Sequence[SimulatedPlanet], normaliser=None):
    """A `VisitDataset` of the planets, which are numbered; its own normaliser where none is given."""
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


def predict(model, dataset, n_planets: int) -> Spectra:
    """Of planets 0 … n, both directions of time averaged."""
    from spectramind_kit.training.evaluation import evaluate_rows, planets_of_rows, spread

    found = evaluate_rows(model, dataset, np.arange(len(dataset)), flip_average=True)
    found = planets_of_rows(dataset.planet_id, found)
    mean, sigma = (
        spread(found[f"depth_{name}"], found["planet_id"], n_planets) for name in ("mean", "sigma")
    )
    return Spectra(mean, sigma)


def from_scratch(epochs: int) -> tuple[str, ...]:
    """Overrides of a training that does not begin with weights: that of `pretrain`, shorter."""
    from spectramind_kit.training.pretrain import MEAN_PULL_LIMIT, Pretraining

    how = Pretraining()
    return (
        f"train.epochs={epochs}",
        f"train.learning_rate={how.learning_rate}",
        "train.warm_start_epochs=0",
        f"loss.mean_first={how.mean_first * epochs}",
        f"loss.mean_pull_limit={MEAN_PULL_LIMIT}",
    )


def train(
    planets: Sequence[SimulatedPlanet],
    held: Sequence[SimulatedPlanet],
    metric: Metric,
    *,
    seed: int,
    start: Pretrained | None = None,
    overrides: Sequence[str] = (),
):
    """`fit` of a direct network, from weights or from scratch."""
    from spectramind_kit.configs import load_config

    config = load_config(overrides=[*BOTH, *overrides])
    dataset = read([*planets, *held], start.normaliser if start else None)
    ids = np.arange(len(planets) + len(held))
    own, others = dataset.rows_of(ids[: len(planets)]), dataset.rows_of(ids[len(planets) :])
    return fit(config, own, HeldOut(dataset, others, metric), seed=seed, start=start)


def fit(config, train_rows: np.ndarray, held_out: HeldOut, *, seed: int, start: Pretrained | None = None):
    """`train_fold` of the configuration's network; the held-out planets are only scored.

    Returns the result and the records of its epochs.
    """
    import torch

    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.models.build import build_model
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.training.loop import Fold, train_fold
    from spectramind_kit.training.settings import TrainSettings

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = build_model(config.model, **held_out.dataset.features)
    settings = TrainSettings(**config.train)
    if start is not None:
        model.load_state_dict(start.state)
        settings = replace(settings, learning_rate=settings.fine_tune_learning_rate)
    loss = instantiate(to_plain(config.loss), where="loss", given={"metric": held_out.metric})
    records: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        path, pretrained = Path(folder) / "fold_0.pt", start is not None
        result = train_fold(
            model,
            loss,
            Fold(0, train_rows, held_out, seed, path, digest="benchmark", pretrained=pretrained),
            settings=settings,
            device=probe_device("cpu"),
            log=lambda _, **fields: records.append(fields),
        )
    return result, records
