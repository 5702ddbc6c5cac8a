"""What each encoder contributes: the drop of the held-out score when its embedding is given to other planets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.metric import array_score
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import combine_visits

ENCODERS = ("fgs1", "airs")


@torch.no_grad()
def embedding_drops(model: nn.Module, dataset: VisitDataset, rows: np.ndarray, *, truth: np.ndarray, score: float,
                    naive: Mapping[str, float], device: str = "cpu", autocast: Callable[[], Any] = nullcontext,
                    batch_size: int = 32, seed: int = 0) -> dict[str, float]:
    """``{encoder: score − score with its embedding permuted across planets}``; positive = the encoder helps.

    The rest of the model, the anchor included, keeps its own planet, so the drop is what this embedding alone
    carries (permutation importance: Breiman 2001). ``truth`` (N, 283) is in the order of `combine_visits`;
    rows are shifted cyclically in a random order, so that no planet keeps its own embedding. NaN for fewer than two rows.
    """
    if len(rows) < 2:
        return {name: float("nan") for name in ENCODERS}
    model.eval()
    order = np.random.default_rng(seed).permutation(len(rows))
    donor = np.empty(len(rows), dtype=np.int64)
    donor[order] = np.roll(order, 1)
    drops = {}
    for encoder in ENCODERS:
        means, sigmas = [], []
        for first in range(0, len(rows), batch_size):
            index = np.arange(first, min(first + batch_size, len(rows)))
            own = dataset.batch(rows[index], device=device)
            other = dataset.batch(rows[donor[index]], device=device)
            with autocast():
                given = model.encode(other)
                swapped = {"fgs1": {"fgs1": given.fgs1, "fgs1_mask": given.fgs1_mask}, "airs": {"airs": given.airs}}
                output = model.decode(replace(model.encode(own), **swapped[encoder]), own)
            means.append(output.depth_mean.double().cpu().numpy())
            sigmas.append(output.depth_sigma.double().cpu().numpy())
        _, mean, sigma = combine_visits(dataset.planet_id[rows], np.concatenate(means), np.concatenate(sigmas))
        drops[encoder] = score - array_score(truth, mean, sigma, clip=False, **naive)
    return drops
