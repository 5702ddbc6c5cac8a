"""The direct prediction: shipped, fine-tuned, from scratch, beside the anchor; a training that can't hurt.

Worlds ``easy`` and ``real``, three seeds, unseen planets.
"""

from __future__ import annotations

import time

import numpy as np
from _direct import planets_of, predict, read
from _jobs import in_order
from _trainings import trainings_of

from spectramind_kit.runtime import say
from spectramind_kit.training.pretrained import load_pretrained

SEEDS = (91, 92, 93)
WORLDS = ("easy", "real")


def run(*, quick: bool = False) -> dict:
    """Full size: 1,000 train and 200 test planets per seed and world (about 100 CPU minutes)."""
    seeds, sizes = ((91,), (24, 12, 1)) if quick else (SEEDS, (1000, 200, 0))
    jobs = [(name, seed, *sizes) for seed in seeds for name in WORLDS]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in WORLDS}
    for (name, seed, *_), row in in_order(trainings_of, jobs, task="network"):
        rows[name].append(row)
        say(f"{name:>5} seed {seed}: " + ", ".join(f"{n} {v:.4f}" for n, v in row.items()))
    figures: dict = {"train_planets": sizes[0], "test_planets": sizes[1], "seeds": len(seeds)}
    for name, own in rows.items():
        figures[name] = {key: float(np.mean([row[key] for row in own])) for key in own[0]}
        figures[name]["few_minus_shipped_least"] = min(row["few_minus_shipped"] for row in own)
        figures[name]["anchored_fall_most"] = max(row["anchored_fall"] for row in own)
    return figures | _speed(20 if quick else 300)


def _speed(n: int) -> dict[str, float]:
    """CPU seconds in which the shipped network predicts 1,210 visits, reading the light curves included."""
    import torch

    torch.set_num_threads(1)
    start = load_pretrained()
    model, planets = start.model(), planets_of("real", 5, "test", n)
    before = time.process_time()
    dataset = read(planets, start.normaliser)
    predict(model, dataset, n)
    return {"cpu_s_of_1210_visits": (time.process_time() - before) / len(dataset) * 1210}
