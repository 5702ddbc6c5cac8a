"""The anchor and the shipped network on planets of one world, and their stack; functions for worker
processes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _direct import labels_of, planets_of, predict, read, shipped_model
from _planets import TOGETHER

from spectramind_kit.metric import Metric
from spectramind_kit.simulator import SimulatedPlanet


@dataclass(frozen=True)
class MeasuredWorld:
    """Train and test planets of a world with their anchors, those of the train planets out of fold."""

    train: list[SimulatedPlanet]
    test: list[SimulatedPlanet]
    measured: list  # of both, in this order
    anchors: list  # the same
    fold: np.ndarray  # of the train planets
    metric: Metric

    @property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        return labels_of(self.train), labels_of(self.test)

    def spectra(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        anchors = self.anchors[part]
        return np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])


def measured_world(name: str, seed: int, n_train: int, n_test: int) -> MeasuredWorld:
    """Priors and calibration are learned on the train planets."""
    import torch

    from spectramind_kit.transit import cross_fit
    from spectramind_kit.transit.anchor.recipes import assign_folds

    torch.set_num_threads(1)
    train, test = (planets_of(name, seed, split, n) for split, n in (("train", n_train), ("test", n_test)))
    measured, fold = _measured([*train, *test]), assign_folds(n_train, folds=5, seed=seed)
    metric = Metric.of(labels_of(train))
    fitted = cross_fit(measured[:n_train], labels_of(train), folds=fold, metric=metric)
    anchors = [*fitted.anchors, *(fitted.predict(m) for m in measured[n_train:])]
    return MeasuredWorld(train, test, measured, anchors, fold, metric)


def _measured(planets: Sequence[SimulatedPlanet]) -> list:
    from spectramind_kit.transit import measure_together

    found: list = []
    for start in range(0, len(planets), TOGETHER):
        found += measure_together([(p.curves, p.star) for p in planets[start : start + TOGETHER]])
    return found


def stack_scores(known: MeasuredWorld) -> dict[str, float]:
    """Scores on the test planets; the stack is fitted on the train planets.

    The network is the one that comes with the kit: it has seen no label of this world.
    """
    from spectramind_kit.inference.uncertainty import fit_sigma_scale

    n, metric, (y, y_test) = len(known.train), known.metric, known.labels
    anchor, anchor_test = known.spectra(slice(n)), known.spectra(slice(n, None))
    model, normaliser = shipped_model()
    direct, direct_test = (
        predict(model, read(part, normaliser), len(part)) for part in (known.train, known.test)
    )
    plain = fit_sigma_scale(y, anchor, fold=known.fold, metric=metric).scale
    stack = fit_sigma_scale(y, anchor, (direct.mean, direct.sigma), fold=known.fold, metric=metric).scale
    both = stack.apply(anchor_test, (direct_test.mean, direct_test.sigma))
    scores = {
        "anchor": metric.score(y_test, *plain.apply(anchor_test), clip=False),
        "direct": direct_test.score(metric, y_test),
        "both": metric.score(y_test, *both, clip=False),
    }
    return scores | {
        "both_minus_anchor": scores["both"] - scores["anchor"],
        "direct_over_anchor": scores["direct"] / scores["anchor"],
        "network_used": float(stack.uses_network),
    }


def world_scores(name: str, seed: int, n_train: int, n_test: int) -> dict[str, float]:
    """`stack_scores` of a world."""
    return stack_scores(measured_world(name, seed, n_train, n_test))


def anchored_training(known: MeasuredWorld, *, seed: int, epochs: int) -> dict[str, float]:
    """The network that corrects the anchor, trained on the train planets: its gain on the test planets, and
    how far below the anchor's score it ever was."""
    import torch

    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.models.build import build_model
    from spectramind_kit.runtime import probe_device
    from spectramind_kit.training.dataset import VisitDataset, planet_rows
    from spectramind_kit.training.evaluation import HeldOut
    from spectramind_kit.training.loop import Fold, train_fold
    from spectramind_kit.training.normaliser import Normaliser
    from spectramind_kit.training.settings import TrainSettings

    config = load_config(overrides=["model/decoder=anchored", "model/size=small", f"train.epochs={epochs}"])
    planets = [*known.train, *known.test]
    ids = [p.planet_id for p in planets]
    rows = planet_rows(
        {p.planet_id: p.curves for p in planets},
        measurements=dict(zip(ids, known.measured)),
        anchors=dict(zip(ids, known.anchors)),
        stars=pd.DataFrame([p.star for p in planets], index=ids),
    )
    own, held = ids[: len(known.train)], ids[len(known.train) :]
    train_rows = [row for row in rows if row["planet_id"] in set(own)]
    labels = {p.planet_id: p.label for p in planets}
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(train_rows), depth=labels)
    torch.manual_seed(seed)
    model = build_model(config.model, **dataset.features)
    loss = instantiate(to_plain(config.loss), where="loss", given={"metric": known.metric})
    held_out = HeldOut(dataset, dataset.rows_of(held), known.metric)
    records: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        result = train_fold(
            model,
            loss,
            Fold(0, dataset.rows_of(own), held_out, seed, Path(folder) / "fold_0.pt", digest="benchmark"),
            settings=TrainSettings(**config.train),
            device=probe_device("cpu"),
            log=lambda _, **fields: records.append(fields),
        )
    scores = [record["held_out_score"] for record in records]
    return {
        "anchored_gain": result.held_out_score - result.reference_score,
        "anchored_fall": result.reference_score - min(scores),
        "anchored_epoch": float(result.chosen_epoch),
        "anchored_latest_fall": result.reference_score - min(r["latest_score"] for r in records),
    }
