"""Cross-attention against the fusions it was chosen over, and the anchor (docs/decisions.md D45, D48).

One simulated set of planets (light-curve level), anchors out of fold for the train planets and from all of
them for the test planets; then each fusion is trained from three seeds with the same number of steps. The
score is the official one, of the network alone, on test planets that neither prior, calibration nor network
has seen. Nothing is selected by them: the weights are the last.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

FUSIONS = ("xattn", "concat", "late", "airs_only")
SIMULATION_SEED = 20250


def run(*, quick: bool = False) -> dict:
    n_train, n_test, seeds, epochs = (32, 16, (0,), 3) if quick else (160, 80, (0, 1, 2), 8)
    prepared = prepare(n_train, n_test)
    figures: dict = {"train_planets": n_train, "test_planets": n_test, "epochs": epochs, "seeds": len(seeds)}
    scores: dict[str, list[float]] = {fusion: [] for fusion in FUSIONS}
    for fusion, own in scores.items():
        start = time.process_time()
        for seed in seeds:
            result = train_once(*prepared, fusion=fusion, seed=seed, epochs=epochs)
            own.append(result.held_out_score)
            figures["anchor_score"] = result.anchor_score
            found = f"{result.held_out_score:.4f} (anchor {result.anchor_score:.4f})"
            print(f"{fusion:>10} seed {seed}: {found}", flush=True)
        figures[f"{fusion}_score"] = float(np.mean(own))
        figures[f"{fusion}_spread"] = float(np.std(own, ddof=1)) if len(seeds) > 1 else float("nan")
        figures[f"{fusion}_cpu_s"] = (time.process_time() - start) / len(seeds)
    for fusion in FUSIONS[1:]:
        figures[f"xattn_minus_{fusion}"] = float(np.mean(np.subtract(scores["xattn"], scores[fusion])))
    return figures


def prepare(n_train: int, n_test: int):
    """Rows of the train planets, and the test planets with the dataset of all."""
    import pandas as pd
    import torch

    from spectramind_kit.metric import Metric
    from spectramind_kit.runtime import cpu_count
    from spectramind_kit.simulator import simulate_light_curves
    from spectramind_kit.training.dataset import VisitDataset, planet_rows
    from spectramind_kit.training.evaluation import HeldOut
    from spectramind_kit.training.measurement_jobs import MeasurementJob, run_jobs
    from spectramind_kit.training.normaliser import Normaliser
    from spectramind_kit.transit import cross_fit
    from spectramind_kit.transit.settings import AnchorSettings

    torch.set_num_threads(1)
    planets = list(simulate_light_curves(n_train + n_test, seed=SIMULATION_SEED).planets())
    with tempfile.TemporaryDirectory() as folder:
        jobs = [MeasurementJob(Path(folder) / f"{p.planet_id}.npz", p.curves, p.star) for p in planets]
        found = dict(run_jobs(jobs, settings=AnchorSettings(), workers=cpu_count()))
    measured = [found[p.planet_id] for p in planets]
    train_ids, test_ids = ([p.planet_id for p in part] for part in (planets[:n_train], planets[n_train:]))
    train_depth = np.stack([p.label for p in planets[:n_train]])
    metric = Metric.of(train_depth)
    fitted = cross_fit(measured[:n_train], train_depth, folds=5, metric=metric)
    anchors = [*fitted.anchors, *(fitted.predict(m) for m in measured[n_train:])]
    rows = planet_rows(
        {p.planet_id: p.curves for p in planets},
        measurements=found,
        anchors={p.planet_id: anchor for p, anchor in zip(planets, anchors)},
        stars=pd.DataFrame.from_dict({p.planet_id: p.star for p in planets}, orient="index"),
    )
    train_rows = [row for row in rows if row["planet_id"] in set(train_ids)]
    labels = {p.planet_id: p.label for p in planets}
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(train_rows), depth=labels)
    return dataset.rows_of(train_ids), HeldOut(dataset, dataset.rows_of(test_ids), metric)


def train_once(train, held_out, *, fusion: str, seed: int, epochs: int):
    """One network trained on the train rows; its score on the held-out planets."""
    import torch

    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.models.build import build_model
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.training.loop import Fold, train_fold
    from spectramind_kit.training.settings import TrainSettings

    config = load_config(profile="quick", overrides=[f"model/fusion={fusion}", f"train.epochs={epochs}"])
    torch.manual_seed(seed)
    model = build_model(config.model, **held_out.dataset.features)
    loss = instantiate(to_plain(config.loss), where="loss", given={"metric": held_out.metric})
    with tempfile.TemporaryDirectory() as folder:
        return train_fold(
            model,
            loss,
            Fold(0, train, held_out, seed, Path(folder) / "fold_0.pt", digest="ablation"),
            settings=TrainSettings(**config.train),
            device=probe_device("cpu"),
            log=lambda *_, **__: None,
        )
