"""Run a model over rows of a dataset, and put visits together to planets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.training.dataset import VisitDataset


@torch.no_grad()
def evaluate_rows(
    model: nn.Module,
    dataset: VisitDataset,
    rows: np.ndarray,
    *,
    device: str = "cpu",
    autocast: Callable[[], Any] = nullcontext,
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
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(rows), batch_size):
        index = rows[first : first + batch_size]
        outputs = []
        for flipped in (False, True) if flip_average else (False,):
            with autocast():
                outputs.append(model(dataset.batch(index, device=device, flipped=flipped)))
        found = {
            "depth_mean": torch.stack([o.depth_mean.double() for o in outputs]).mean(0),
            "depth_sigma": torch.stack([o.depth_sigma.double().log() for o in outputs]).mean(0).exp(),
            "fused": _pooled(outputs[0].fused),
            "fgs1_embedding": _pooled(outputs[0].fgs1_embedding),
            "airs_embedding": _pooled(outputs[0].airs_embedding),
        }
        for name, value in found.items():
            parts.setdefault(name, []).append(value.double().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


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


def _pooled(tokens: torch.Tensor | None) -> torch.Tensor:
    """(B, N, D) tokens → their mean (B, D); a pooled (B, D) embedding stays."""
    if tokens is None:
        return torch.zeros(0, 0)
    return tokens.float().mean(1) if tokens.ndim == 3 else tokens.float()
