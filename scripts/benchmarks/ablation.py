"""Direct prediction by cross-attention against the fusions it was chosen over, FGS1 alone, and Mamba-1.

Every choice is trained from scratch on the same simulated planets with the same number of steps, from three
seeds; the score is the official one on planets that none has seen. Then what each embedding is worth: by how
much the score of the shipped weights drops when it goes to other planets.
"""

from __future__ import annotations

import numpy as np
from _choices import CHOICES, SEED, trained_score
from _direct import labels_of, planets_of, read
from _jobs import in_order

from spectramind_kit.metric import Metric
from spectramind_kit.runtime import say

SEEDS = (0, 1, 2)


def run(*, quick: bool = False) -> dict:
    """Full size: 500 train and 200 test planets of world ``real``, 9 epochs (about 27 CPU minutes)."""
    n_train, n_test, epochs, seeds = (24, 12, 1, (0,)) if quick else (500, 200, 9, SEEDS)
    jobs = [(name, seed, n_train, n_test, epochs) for seed in seeds for name in CHOICES]
    scores: dict[str, list[float]] = {name: [] for name in CHOICES}
    cpu_s = dict.fromkeys(CHOICES, 0.0)
    for (name, seed, *_), (score, seconds) in in_order(trained_score, jobs, task="ablation"):
        scores[name].append(score)
        cpu_s[name] += seconds / len(seeds)
        say(f"{name:>14} seed {seed}: {score:.4f}, {seconds:.0f} CPU s")
    figures: dict = {"train_planets": n_train, "test_planets": n_test, "epochs": epochs, "seeds": len(seeds)}
    for name, own in scores.items():
        figures[f"{name}_score"], figures[f"{name}_cpu_s"] = float(np.mean(own)), cpu_s[name]
        figures[f"{name}_spread"] = float(np.std(own, ddof=1)) if len(seeds) > 1 else float("nan")
        difference = np.subtract(scores["xattn"], own)
        if name != "xattn":
            figures[f"xattn_minus_{name}"] = float(difference.mean())
            figures[f"xattn_minus_{name}_least"] = float(difference.min())
    return figures | _permuted(24 if quick else 300, seeds)


def _permuted(n: int, seeds: tuple[int, ...]) -> dict[str, float]:
    """What permuting each embedding of the shipped weights costs, over so many permutations."""
    from spectramind_kit.training.contributions import embedding_drops
    from spectramind_kit.training.evaluation import HeldOut, evaluate_rows
    from spectramind_kit.training.pretrained import load_pretrained

    start = load_pretrained()
    model, planets = start.model(), planets_of("real", SEED + 1, "test", n)
    dataset = read(planets, start.normaliser)
    held = HeldOut(dataset, np.arange(len(dataset)), Metric.of(labels_of(planets)))
    found = evaluate_rows(model, dataset, held.rows)
    score = held.score(found["depth_mean"], found["depth_sigma"])
    drops = [embedding_drops(model, held, score=score, seed=seed) for seed in seeds]
    return {"shipped_score": score} | {
        f"permuted_{name}_{what}": float(of([drop[name] for drop in drops]))
        for name in drops[0]
        for what, of in (("cost", np.mean), ("spread", np.std))
    }
