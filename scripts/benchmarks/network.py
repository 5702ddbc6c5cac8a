"""The direct prediction: shipped, fine-tuned, from scratch, beside the anchor; a training that can't hurt.

Worlds ``easy`` and ``real``, three seeds, unseen planets.
"""

from __future__ import annotations

import time

import numpy as np
from _direct import planets_of, predict, read, shipped_model, train
from _worlds import anchored_training, measured_world, stack_scores

from spectramind_kit.runtime import cpu_count, say
from spectramind_kit.worker_processes import worker_pool

SEEDS = (91, 92, 93)
WORLDS = ("easy", "real")
FEW = 60  # train planets of the quick profile
SCRATCH_EPOCHS, FINE_TUNE_EPOCHS, ANCHORED_EPOCHS = 16, 12, 8


def run(*, quick: bool = False) -> dict:
    """Full size: 1,000 train and 200 test planets per seed and world (about two hours of one core)."""
    seeds, sizes = ((91,), (24, 12, 1)) if quick else (SEEDS, (1000, 200, 0))
    jobs = [(name, seed, *sizes) for seed in seeds for name in WORLDS]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in WORLDS}
    with worker_pool(cpu_count(), task="network") as pool:
        found = [pool.submit(one, *job) for job in jobs] if pool else None
        for k, job in enumerate(jobs):
            row = found[k].result() if found else one(*job)
            rows[job[0]].append(row)
            say(f"{job[0]:>5} seed {job[1]}: " + ", ".join(f"{n} {v:.4f}" for n, v in row.items()))
    figures: dict = {"train_planets": sizes[0], "test_planets": sizes[1], "seeds": len(seeds)}
    for name, own in rows.items():
        figures[name] = {key: float(np.mean([row[key] for row in own])) for key in own[0]}
        for key in ("both_minus_anchor", "few_minus_shipped"):
            figures[name][f"{key}_least"] = min(row[key] for row in own)
        figures[name]["anchored_fall_most"] = max(row["anchored_fall"] for row in own)
    return figures | _speed(20 if quick else 300)


def one(name: str, seed: int, n_train: int, n_test: int, epochs: int) -> dict[str, float]:
    """Scores of one seed of a world. ``epochs`` 0: as many as the module says."""
    known = measured_world(name, seed, n_train, n_test)
    planets, test, metric = known.train, known.test, known.metric
    scores = stack_scores(known)
    anchor, shipped = scores["anchor"], scores["direct"]
    tuned = train(
        planets,
        test,
        metric,
        seed=seed,
        start=True,
        overrides=(f"train.epochs={epochs or FINE_TUNE_EPOCHS}",),
    )[0].held_out_score
    few = train(planets[:FEW], test, metric, seed=seed, start=True)[0].held_out_score
    n = epochs or SCRATCH_EPOCHS
    scratch_settings = (
        f"train.epochs={n}",
        "train.learning_rate=3e-3",
        "train.warm_start_epochs=0",
        f"loss.mean_first={0.3 * n}",
        "loss.mean_pull_limit=0.1",
    )
    scratch = train(planets, test, metric, seed=seed, start=False, overrides=scratch_settings)[
        0
    ].held_out_score
    return {
        "anchor_score": anchor,
        "direct_score": shipped,
        "direct_over_anchor": shipped / anchor,
        "tuned_score": tuned,
        "tuned_over_anchor": tuned / anchor,
        "scratch_score": scratch,
        "few_score": few,
        "few_minus_shipped": few - shipped,
        "both_minus_anchor": scores["both_minus_anchor"],
        **anchored_training(known, seed=seed, epochs=epochs or ANCHORED_EPOCHS),
    }


def _speed(n: int) -> dict[str, float]:
    """CPU seconds in which the shipped network predicts 1,210 visits, reading the light curves included."""
    import torch

    torch.set_num_threads(1)
    model, normaliser = shipped_model()
    planets = planets_of("real", 5, "test", n)
    start = time.process_time()
    dataset = read(planets, normaliser)
    predict(model, dataset, n)
    return {"cpu_s_of_1210_visits": (time.process_time() - start) / len(dataset) * 1210}
