"""Run a model over rows of a dataset, combine visits to planets, and score planets that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.predictions import EMBEDDINGS
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.precision import FLOAT32_CPU, Precision


@torch.no_grad()
def evaluate_rows(
    model: nn.Module,
    dataset: VisitDataset,
    rows: np.ndarray,
    *,
    precision: Precision = FLOAT32_CPU,
    batch_size: int = 32,
    flip_average: bool = False,
) -> dict[str, np.ndarray]:
    """Predictions and pooled embeddings of each row, float64.

    With ``flip_average`` the model also reads the visit backwards; depths and log sigmas are averaged.

    Returns
    -------
    dict of arrays: ``depth_mean, depth_sigma`` (R, 283), ``fused, fgs1_embedding, airs_embedding`` (R, D).
    """
    model.eval()
    device, directions = precision.device.name, (False, True) if flip_average else (False,)
    parts: dict[str, list[np.ndarray]] = {}
    batches = dataset.batches(rows, size=batch_size)
    for index in batches:
        with precision.autocast():
            outputs = [model(dataset.batch(index, device=device, flipped=flipped)) for flipped in directions]
        found = {
            "depth_mean": torch.stack([o.depth_mean.double() for o in outputs]).mean(0),
            "depth_sigma": torch.stack([o.depth_sigma.double().log() for o in outputs]).mean(0).exp(),
            **{name: _pooled(getattr(outputs[0], name), len(index)) for name in EMBEDDINGS},
        }
        for name, value in found.items():
            parts.setdefault(name, []).append(value.double().cpu().numpy())
    back = np.argsort(places_of(batches, rows))
    return {name: np.concatenate(values)[back] for name, values in parts.items()}


def combine_visits(
    planet_id: np.ndarray, depth_mean: np.ndarray, depth_sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of visits → one row per planet, in the order in which the planets first appear.

    Each visit's row already starts from the planet's anchor, in which the visits are combined with the
    correlation of their errors; so means are averaged and variances are averaged, not divided.
    """
    _, first, inverse = np.unique(planet_id, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    group = rank[inverse]
    count = np.bincount(group).astype(np.float64)[:, None]
    mean, variance = (np.zeros((len(order), depth_mean.shape[1])) for _ in range(2))
    np.add.at(mean, group, depth_mean)
    np.add.at(variance, group, depth_sigma**2)
    return planet_id[np.sort(first)], mean / count, np.sqrt(variance / count)


def planets_of_rows(planet_id: np.ndarray, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `evaluate_rows` gives, for planets: depths and sigmas by `combine_visits`, embeddings averaged.

    ``planet_id`` (R,) are those of the rows; the result has its own, (N,).
    """
    planets, mean, sigma = combine_visits(planet_id, found["depth_mean"], found["depth_sigma"])
    pooled = {name: np.stack([found[name][planet_id == p].mean(0) for p in planets]) for name in EMBEDDINGS}
    return {"planet_id": planets, "depth_mean": mean, "depth_sigma": sigma, **pooled}


def predict_planets(
    model: nn.Module,
    dataset: VisitDataset,
    rows: np.ndarray,
    *,
    precision: Precision = FLOAT32_CPU,
    flip_average: bool = False,
) -> dict[str, np.ndarray]:
    """`evaluate_rows` of these rows (R,), their visits combined to planets (`planets_of_rows`)."""
    found = evaluate_rows(model, dataset, rows, precision=precision, flip_average=flip_average)
    return planets_of_rows(dataset.planet_id[rows], found)


def spread(values: np.ndarray, rows: np.ndarray | list[int], n: int) -> np.ndarray:
    """Rows of values in an array of ``n`` rows, the others NaN."""
    full = np.full((n, values.shape[1]), np.nan)
    full[rows] = values
    return full


@dataclass(frozen=True)
class HeldOut:
    """Planets that a network is scored on, and neither trained on nor selected by."""

    dataset: VisitDataset  # with labels
    rows: np.ndarray  # (R,) int, of the dataset
    metric: Metric

    @property
    def planet_id(self) -> np.ndarray:
        """Of the rows, (R,)."""
        return self.dataset.planet_id[self.rows]

    @cached_property
    def truth(self) -> np.ndarray:
        """(N, 283) in the order of `combine_visits`."""
        depth = self._of_rows("depth")
        return combine_visits(self.planet_id, depth, depth)[1]

    @cached_property
    def reference_score(self) -> float:
        return self.score(self._of_rows("reference_depth"), self._of_rows("reference_err"))

    def score(self, depth_mean: np.ndarray, depth_sigma: np.ndarray) -> float:
        """Official score, not clipped, of predictions (R, 283) of the rows."""
        return float(self.planet_scores(depth_mean, depth_sigma).mean())

    def planet_scores(self, depth_mean: np.ndarray, depth_sigma: np.ndarray) -> np.ndarray:
        """The same of every planet, (N,)."""
        _, mean, sigma = combine_visits(self.planet_id, depth_mean, depth_sigma)
        return self.metric.planet_scores(self.truth, mean, sigma)

    def _of_rows(self, name: str) -> np.ndarray:
        return self.dataset.tensors[name][torch.as_tensor(self.rows)].numpy()


def places_of(batches: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Where each row of the joined batches stands in ``rows``."""
    place = {int(row): k for k, row in enumerate(rows)}
    return np.array([place[int(row)] for batch in batches for row in batch], dtype=np.int64)


def _pooled(tokens: torch.Tensor | None, rows: int) -> torch.Tensor:
    """(B, N, D) tokens → their mean (B, D); a pooled (B, D) embedding stays, none is (B, 0)."""
    if tokens is None:
        return torch.zeros(rows, 0)
    return tokens.float().mean(1) if tokens.ndim == 3 else tokens.float()
