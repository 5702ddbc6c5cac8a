"""Cross-attention against the fusions it was chosen over, and the anchor; same data, same budget
(docs/decisions.md D45, D48).

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
    dataset, train, test, naive = prepare(n_train, n_test)
    figures: dict = {"train_planets": n_train, "test_planets": n_test, "epochs": epochs, "seeds": len(seeds)}
    scores: dict[str, list[float]] = {}
    for fusion in FUSIONS:
        start = time.process_time()
        for seed in seeds:
            result = train_once(dataset, train, test, naive, fusion=fusion, seed=seed, epochs=epochs)
            scores.setdefault(fusion, []).append(result.held_out_score)
            figures["anchor_score"] = result.anchor_score
            print(
                f"{fusion:>10} seed {seed}: {result.held_out_score:.4f} (anchor {result.anchor_score:.4f})",
                flush=True,
            )
        figures[f"{fusion}_score"] = float(np.mean(scores[fusion]))
        figures[f"{fusion}_spread"] = (
            float(np.std(scores[fusion], ddof=1)) if len(seeds) > 1 else float("nan")
        )
        figures[f"{fusion}_cpu_s"] = (time.process_time() - start) / len(seeds)
    for fusion in FUSIONS[1:]:
        figures[f"xattn_minus_{fusion}"] = float(np.mean(np.subtract(scores["xattn"], scores[fusion])))
    return figures


def prepare(n_train: int, n_test: int):
    """Dataset of all visits, row numbers of train and test, the metric's naive statistics."""
    import torch

    from spectramind_kit.metric import Metric
    from spectramind_kit.runtime import cpu_count
    from spectramind_kit.simulator import simulate_light_curves
    from spectramind_kit.training.dataset import Normaliser, VisitDataset, visit_row
    from spectramind_kit.training.measuring import MeasurementJob, run_measurements
    from spectramind_kit.transit import cross_fit
    from spectramind_kit.transit.settings import AnchorSettings

    torch.set_num_threads(1)
    simulated = simulate_light_curves(n_train + n_test, seed=SIMULATION_SEED)
    planets: dict[int, list] = {}
    for row in range(len(simulated)):
        planets.setdefault(int(simulated.planet_id[row]), []).append(simulated.light_curve(row))
    stars = {int(p): v.planet.catalogue_row() for p, v in zip(simulated.planet_id, simulated.visits)}
    label = {int(p): d for p, d in zip(simulated.planet_id, simulated.depth.numpy())}
    ids = list(planets)
    with tempfile.TemporaryDirectory() as folder:
        jobs = [MeasurementJob(Path(folder) / f"{p}.npz", planets[p], stars[p]) for p in ids]
        found = dict(run_measurements(jobs, settings=AnchorSettings(), workers=cpu_count()))
    measured = [found[p] for p in ids]
    train_ids = ids[:n_train]
    train_depth = np.stack([label[p] for p in train_ids])
    metric = Metric.of(train_depth)
    naive = {"naive_mean": metric.mean, "naive_sigma": metric.sigma}
    fitted = cross_fit(measured[:n_train], train_depth, folds=5, metric=metric)
    anchors = [*fitted.anchors, *(fitted.predict(m) for m in measured[n_train:])]
    rows = [
        visit_row(curve, m, anchor, star=stars[p])
        for p, m, anchor in zip(ids, measured, anchors)
        for curve in planets[p]
        if curve.visit in {v.visit for v in m.visits}
    ]
    train_rows = [row for row in rows if row["planet_id"] in set(train_ids)]
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(train_rows), depth=label)
    return dataset, dataset.rows_of(train_ids), dataset.rows_of(ids[n_train:]), naive


def train_once(dataset, train, test, naive, *, fusion: str, seed: int, epochs: int):
    """One network trained on the train rows; its score on the test rows."""
    import torch

    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.metric import Metric
    from spectramind_kit.models.build import build_model
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.training.loop import TrainSettings, train_fold

    config = load_config(profile="quick", overrides=[f"model/fusion={fusion}", f"train.epochs={epochs}"])
    torch.manual_seed(seed)
    model = build_model(
        config.model,
        bin_features=dataset.tensors["bins"].shape[-1],
        star_features=dataset.tensors["star"].shape[-1],
    )
    loss = instantiate(
        to_plain(config.loss),
        where="loss",
        given={"metric": Metric(naive["naive_mean"], naive["naive_sigma"])},
    )
    with tempfile.TemporaryDirectory() as folder:
        return train_fold(
            model,
            loss,
            dataset=dataset,
            train_rows=train,
            held_out_rows=test,
            fold=0,
            settings=TrainSettings(**config.train),
            device=probe_device("cpu"),
            seed=seed,
            naive=naive,
            checkpoint=Path(folder) / "fold_0.pt",
            digest="ablation",
            log=lambda *_, **__: None,
        )
