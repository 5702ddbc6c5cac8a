"""The fusions and encoders of the ablation, and one training of a direct prediction with each; for worker
processes."""

from __future__ import annotations

import time
from dataclasses import replace

from _direct import from_scratch, labels_of, planets_of, train

from spectramind_kit.metric import Metric
from spectramind_kit.training.simulated_visits import AIRS, without

SEED = 20250
CHOICES = {
    "xattn": ("model/fusion=xattn",),
    "concat": ("model/fusion=concat",),
    "late": ("model/fusion=late",),
    "airs_only": ("model/fusion=airs_only",),
    "fgs1_alone": ("model/fusion=xattn",),  # AIRS-CH0's light curves are taken away
    "mamba1": ("model/fgs1_encoder=mamba1",),  # with xattn; the others have mamba2
}


def trained_score(name: str, seed: int, n_train: int, n_test: int, epochs: int) -> tuple[float, float]:
    """Score of one choice, and its CPU seconds."""
    start = time.process_time()
    planets = planets_of("real", SEED, "train", n_train)
    held = planets_of("real", SEED, "test", n_test)
    metric = Metric.of(labels_of(planets))
    if name == "fgs1_alone":
        planets, held = (
            [replace(p, curves=[without(c, AIRS) for c in p.curves]) for p in part]
            for part in (planets, held)
        )
    overrides = (*CHOICES[name], *from_scratch(epochs), "train.inner_share=0", "train.batch_size=32")
    result, _ = train(planets, held, metric, seed=seed, overrides=overrides)
    return result.held_out_score, time.process_time() - start
