"""Train the folds of a run, and predict each fold's planets with the network that has not seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.detector import LightCurve
from spectramind_kit.fingerprint import fingerprint, what_changed
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.runtime import Device, cpu_count, say
from spectramind_kit.training.anchors import CrossFittedAnchors
from spectramind_kit.training.dataset import VisitDataset, planet_rows
from spectramind_kit.training.evaluation import HeldOut, evaluate_rows, planets_of_rows, spread
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.loop import Fold, FoldResult, train_fold
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.settings import TrainSettings
from spectramind_kit.transit import DepthMeasurement


@dataclass(frozen=True)
class Network:
    """The trained folds and their out-of-fold predictions of N planets."""

    folds: tuple[FoldResult, ...]
    normaliser: Normaliser
    planet_ids: np.ndarray  # (N,)
    predicted: dict[str, np.ndarray]  # `evaluation.planets_of_rows`, in the order of ``planet_ids``
    digest: str  # of the training's inputs


def set_threads(run: RunFolder) -> None:
    """Torch threads as configured; see ``configs/train``."""
    torch.set_num_threads(int(run.config.train.num_threads) or cpu_count())


def train_folds(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: CrossFittedAnchors,
    labels: Labels,
    stars: pd.DataFrame,
) -> Network | None:
    """Train one network per fold on the other folds' planets.

    None where the configuration asks for the anchor alone, or where the time was too short for some fold:
    without an out-of-fold prediction for every planet nothing tells how far to trust the others.
    """
    if not run.config.model.use_network:
        say("model=anchor: no network is trained")
        return None
    set_threads(run)
    rows = planet_rows(light_curves, measurements=measurements, anchors=anchors.out_of_fold, stars=stars)
    depth = dict(zip(labels.planet_ids.tolist(), labels.depth))
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(rows), depth=depth)
    digest, device = fingerprint(dict(anchors.made_from)), run.device()
    settings = TrainSettings(**run.config.train)
    folder = run.root / "train" / digest
    _claim(folder, anchors.made_from)
    results, parts = [], []
    for number in range(settings.folds):
        if run.budget.left_s <= 0:
            say(f"fold {number} is left out: the time budget is used up")
            continue
        held = anchors.fold == number
        inside, outside = (dataset.rows_of(anchors.planet_ids[own]) for own in (held, ~held))
        held_out = HeldOut(dataset, inside, labels.metric)
        fold = Fold(number, outside, held_out, run.seed, folder / f"fold_{number}.pt", digest)
        result, predicted = _train_and_predict(run, fold, settings, device)
        results.append(result)
        parts.append(predicted)
    if len(results) < settings.folds:
        if results:
            done = f"{len(results)} of {settings.folds} folds are trained"
            say(f"{done}; the anchor stands until the others are. Start again to go on.")
        return None
    return Network(tuple(results), dataset.normaliser, anchors.planet_ids, _joined(parts, anchors), digest)


def _train_and_predict(
    run: RunFolder, fold: Fold, settings: TrainSettings, device: Device
) -> tuple[FoldResult, dict[str, np.ndarray]]:
    """A trained fold, and what it predicts for its held-out planets."""
    held_out = fold.held_out
    torch.manual_seed(run.seed + fold.number)
    model = build_model(run.config.model, **held_out.dataset.features)
    run.record(parameters=model.n_parameters())
    loss = instantiate(to_plain(run.config.loss), where="loss", given={"metric": held_out.metric})
    with run.step(f"train fold {fold.number}"):
        result = train_fold(
            model, loss, fold, settings=settings, device=device, log=run.log, budget=run.budget
        )
    for name, choice in model.backends().items():
        run.backend(name, choice)
    scores = f"held-out score {result.held_out_score:.4f}, its anchor {result.anchor_score:.4f}"
    say(f"fold {fold.number}: {scores}")
    model.load_state_dict(result.state)
    found = evaluate_rows(
        model.to(device.name),
        held_out.dataset,
        held_out.rows,
        precision=Precision.of(device, settings.amp),
        flip_average=settings.time_flip,
    )
    return result, planets_of_rows(held_out.planet_id, found)


def _joined(parts: Sequence[Mapping[str, np.ndarray]], anchors: CrossFittedAnchors) -> dict[str, np.ndarray]:
    """The folds' planets in the order of the anchors."""
    position = {int(p): k for k, p in enumerate(anchors.planet_ids)}
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = [position[int(p)] for p in whole.pop("planet_id")]
    return {name: spread(values, rows, len(position)) for name, values in whole.items()}


def _claim(folder: Path, made_from: Mapping[str, str]) -> None:
    """Checkpoints of one set of inputs share a folder; say which inputs the last training had others of."""
    others = sorted(folder.parent.glob("*/made_from.json"), key=lambda path: path.stat().st_mtime)
    if not folder.is_dir() and others:
        changed = ", ".join(what_changed(read_json(others[-1]), made_from))
        what = "the folds are trained afresh, their inputs are not those of the last training"
        say(f"{what}: {changed} changed")
    write_json(folder / "made_from.json", dict(made_from))
