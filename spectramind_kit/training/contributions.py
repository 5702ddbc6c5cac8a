"""What each encoder contributes: how the held-out score drops when its embedding goes to other planets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from spectramind_kit.training.evaluation import HeldOut, places_of
from spectramind_kit.training.precision import FLOAT32_CPU, Precision

ENCODERS = {"fgs1": ("fgs1", "fgs1_mask"), "airs": ("airs",)}  # what of `Encoded` each of them has made


@torch.no_grad()
def embedding_drops(
    model: nn.Module,
    held_out: HeldOut,
    *,
    score: float,
    precision: Precision = FLOAT32_CPU,
    batch_size: int = 32,
    seed: int = 0,
) -> dict[str, float]:
    """``{encoder: score − score with its embedding permuted across planets}``; positive = the encoder helps.

    The rest of the model, the anchor included, keeps its own planet, so the drop is what this embedding alone
    carries (permutation importance: Breiman 2001). Rows are shifted cyclically in a random order, so that
    none keeps its own embedding. NaN for fewer than two rows.
    """
    n_rows = len(held_out.rows)
    if n_rows < 2:
        return {name: float("nan") for name in ENCODERS}
    model.eval()
    order = np.random.default_rng(seed).permutation(n_rows)
    donor = np.empty(n_rows, dtype=np.int64)
    donor[order] = np.roll(order, 1)
    parts = held_out.dataset.batches(held_out.rows, size=batch_size)
    places = places_of(parts, held_out.rows)
    chunks = np.split(places, np.cumsum([len(part) for part in parts])[:-1])
    device = precision.device.name
    batches = [held_out.dataset.batch(part, device=device) for part in parts]
    with precision.autocast():
        encoded = [model.encode(batch) for batch in batches]
    names = [name for made in ENCODERS.values() for name in made]
    back = np.argsort(places)
    whole = {name: torch.cat([getattr(part, name) for part in encoded])[back] for name in names}
    drops = {}
    for encoder, made in ENCODERS.items():
        outputs = []
        for index, batch, own in zip(chunks, batches, encoded):
            others = replace(own, **{name: whole[name][donor[index]] for name in made})
            with precision.autocast():
                outputs.append(model.decode(others, batch))
        mean, sigma = (
            torch.cat([getattr(output, name).double() for output in outputs])[back].cpu().numpy()
            for name in ("depth_mean", "depth_sigma")
        )
        drops[encoder] = score - held_out.score(mean, sigma)
    return drops
