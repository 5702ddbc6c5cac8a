"""The anchor and the shipped network on planets of one world, and their stack; functions for worker
processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from _direct import fit, predict, read
from _planets import MeasuredPlanets, measured_planets

from spectramind_kit.metric import Metric


@dataclass(frozen=True)
class MeasuredWorld:
    """Train and test planets of a world with their anchors, those of the train planets out of fold."""

    train: MeasuredPlanets
    test: MeasuredPlanets
    anchors: list
    test_anchors: list
    fold: np.ndarray  # of the train planets
    metric: Metric


def measured_world(name: str, seed: int, n_train: int, n_test: int) -> MeasuredWorld:
    """Priors and calibration are learned on the train planets."""
    import torch

    from spectramind_kit.transit import cross_fit
    from spectramind_kit.transit.anchor.recipes import assign_folds

    torch.set_num_threads(1)
    train, test = (
        measured_planets(n, seed, split, name) for split, n in (("train", n_train), ("test", n_test))
    )
    metric, fold = Metric.of(train.labels), assign_folds(n_train, folds=5, seed=seed)
    fitted = cross_fit(train.measurements, train.labels, folds=fold, metric=metric)
    test_anchors = [fitted.predict(m) for m in test.measurements]
    return MeasuredWorld(train, test, list(fitted.anchors), test_anchors, fold, metric)


def stack_scores(known: MeasuredWorld) -> dict[str, float]:
    """Scores on the test planets; the stack is fitted on the train planets.

    The network is the one that comes with the kit: it has seen no label of this world.
    """
    from spectramind_kit.inference.uncertainty import fit_sigma_scale
    from spectramind_kit.training.pretrained import load_pretrained

    metric, y, y_test = known.metric, known.train.labels, known.test.labels
    anchor, anchor_test = _spectra(known.anchors), _spectra(known.test_anchors)
    start = load_pretrained()
    model = start.model()
    direct, direct_test = (
        predict(model, read(part.planets, start.normaliser), len(part.planets))
        for part in (known.train, known.test)
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


def _spectra(anchors: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])


def world_scores(name: str, seed: int, n_train: int, n_test: int) -> dict[str, float]:
    """`stack_scores` of a world."""
    return stack_scores(measured_world(name, seed, n_train, n_test))


def anchored_training(known: MeasuredWorld, *, seed: int, epochs: int) -> dict[str, float]:
    """The network that corrects the anchor, trained on the train planets: its gain on the test planets, and
    how far below the anchor's score it ever was."""
    from spectramind_kit.configs import load_config
    from spectramind_kit.training.dataset import VisitDataset, planet_rows
    from spectramind_kit.training.evaluation import HeldOut
    from spectramind_kit.training.normaliser import Normaliser

    config = load_config(overrides=["model/decoder=anchored", "model/size=small", f"train.epochs={epochs}"])
    planets = [*known.train.planets, *known.test.planets]
    ids, labels = [p.planet_id for p in planets], {p.planet_id: p.label for p in planets}
    rows = planet_rows(
        {p.planet_id: p.curves for p in planets},
        measurements=dict(zip(ids, [*known.train.measurements, *known.test.measurements])),
        anchors=dict(zip(ids, [*known.anchors, *known.test_anchors])),
        stars=pd.DataFrame([p.star for p in planets], index=ids),
    )
    n = len(known.anchors)
    own = set(ids[:n])
    normaliser = Normaliser.fit([row for row in rows if row["planet_id"] in own])
    dataset = VisitDataset(rows, normaliser=normaliser, depth=labels)
    held_out = HeldOut(dataset, dataset.rows_of(ids[n:]), known.metric)
    result, records = fit(config, dataset.rows_of(ids[:n]), held_out, seed=seed)
    lowest = {name: min(record[name] for record in records) for name in ("held_out_score", "latest_score")}
    return {
        "anchored_gain": result.held_out_score - result.reference_score,
        "anchored_fall": result.reference_score - lowest["held_out_score"],
        "anchored_epoch": float(result.chosen_epoch),
        "anchored_latest_fall": result.reference_score - lowest["latest_score"],
    }
