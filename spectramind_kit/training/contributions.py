"""What each encoder contributes: the drop of the held-out score when its embedding is given to other
planets."""

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

ENCODERS = {"fgs1": ("fgs1", "fgs1_mask"), "airs": ("airs",)}  # what of `Encoded` each of them has made


@torch.no_grad()
def embedding_drops(
    model: nn.Module,
    dataset: VisitDataset,
    rows: np.ndarray,
    *,
    truth: np.ndarray,
    score: float,
    naive: Mapping[str, float],
    device: str = "cpu",
    autocast: Callable[[], Any] = nullcontext,
    batch_size: int = 32,
    seed: int = 0,
) -> dict[str, float]:
    """``{encoder: score − score with its embedding permuted across planets}``; positive = the encoder helps.

    The rest of the model, the anchor included, keeps its own planet, so the drop is what this embedding alone
    carries (permutation importance: Breiman 2001). ``truth`` (N, 283) is in the order of `combine_visits`;
    rows are shifted cyclically in a random order, so that no planet keeps its own embedding. NaN for fewer
    than two rows.
    """
    if len(rows) < 2:
        return {name: float("nan") for name in ENCODERS}
    model.eval()
    order = np.random.default_rng(seed).permutation(len(rows))
    donor = np.empty(len(rows), dtype=np.int64)
    donor[order] = np.roll(order, 1)
    chunks = [
        np.arange(first, min(first + batch_size, len(rows))) for first in range(0, len(rows), batch_size)
    ]
    batches = [dataset.batch(rows[index], device=device) for index in chunks]
    with autocast():
        encoded = [model.encode(batch) for batch in batches]
    whole = {
        name: torch.cat([getattr(part, name) for part in encoded]) for name in ("fgs1", "fgs1_mask", "airs")
    }
    drops = {}
    for encoder, names in ENCODERS.items():
        means, sigmas = [], []
        for index, batch, own in zip(chunks, batches, encoded):
            with autocast():
                output = model.decode(
                    replace(own, **{name: whole[name][donor[index]] for name in names}), batch
                )
            means.append(output.depth_mean.double().cpu().numpy())
            sigmas.append(output.depth_sigma.double().cpu().numpy())
        _, mean, sigma = combine_visits(
            dataset.planet_id[rows], np.concatenate(means), np.concatenate(sigmas)
        )
        drops[encoder] = score - array_score(truth, mean, sigma, clip=False, **naive)
    return drops
