"""Train the folds of a run, and predict each fold's planets with the network that has not seen them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.fingerprint import fingerprint, what_changed
from spectramind_kit.metric import Metric
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.runtime import cpu_count, say
from spectramind_kit.training.anchors import CrossFittedAnchors
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import HeldOut, predict_planets, spread
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.loop import Fold, FoldResult, train_fold
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.plan import plan_epochs
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.pretrained import Pretrained
from spectramind_kit.training.settings import TrainSettings
from spectramind_kit.training.train_inputs import TrainInputs

PLAN = "plan.json"


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
    run: RunFolder, inputs: TrainInputs | None, *, anchors: CrossFittedAnchors, labels: Labels
) -> Network | None:
    """Train one network per fold on the other folds' planets.

    None where there is no network (``inputs`` is None), or where the time was too short for some fold:
    without an out-of-fold prediction for every planet nothing tells how far to trust the others.
    """
    if inputs is None:
        return None
    set_threads(run)
    dataset, start = inputs.dataset, inputs.start
    made_from = {**anchors.made_from, "weights that it began with": start.fingerprint if start else ""}
    digest = fingerprint(made_from)
    folder = run.root / "train" / digest
    _claim(folder, made_from)
    settings = TrainSettings(**run.config.train)
    if start is not None:
        settings = replace(settings, learning_rate=settings.fine_tune_learning_rate)
    settings = _planned(run, dataset, settings, folder)
    if settings is None:
        return None
    anchor_scores = labels.metric.planet_scores(labels.of(anchors.planet_ids), *anchors.stacked())
    results, parts = [], []
    for number in range(settings.folds):
        if run.budget.left_s <= 0:
            say(f"fold {number} is left out: the time budget is used up")
            continue
        held = anchors.fold == number
        inside, outside = (dataset.rows_of(anchors.planet_ids[own]) for own in (held, ~held))
        held_out = HeldOut(dataset, inside, labels.metric)
        path = folder / f"fold_{number}.pt"
        fold = Fold(number, outside, held_out, run.seed, path, digest)
        log = partial(run.log, anchor_score=float(anchor_scores[held].mean()))
        result, predicted = _train_and_predict(run, fold, settings, start, log=log)
        results.append(result)
        parts.append(predicted)
    if len(results) < settings.folds:
        if results:
            done = f"{len(results)} of {settings.folds} folds are trained"
            say(f"{done}; the anchor stands until the others are. Start again to go on.")
        return None
    return Network(tuple(results), dataset.normaliser, anchors.planet_ids, _joined(parts, anchors), digest)


def _planned(
    run: RunFolder, dataset: VisitDataset, settings: TrainSettings, folder: Path
) -> TrainSettings | None:
    """The settings with as many epochs as the time allows for all folds; None where not one does.

    Decided once: a restart keeps the plan, whose learning rates depend on the number of epochs.
    """
    path = folder / PLAN
    epochs = int(read_json(path).get("epochs", 0))
    if not epochs:
        model, loss = _model_and_loss(run, dataset, Metric())
        epochs = plan_epochs(model, loss, dataset, settings=settings, device=run.device(), budget=run.budget)
        if epochs < 1:
            say("the network is left out: no time for one epoch of each fold")
            return None
        write_json(path, {"epochs": epochs})
        if epochs < settings.epochs:
            say(f"{epochs} epochs a fold instead of {settings.epochs}: more would not fit the time budget")
    run.record_stage(epochs_planned=epochs)
    return replace(settings, epochs=epochs)


def _model_and_loss(
    run: RunFolder, dataset: VisitDataset, metric: Metric
) -> tuple[torch.nn.Module, torch.nn.Module]:
    model = build_model(run.config.model, **dataset.features)
    return model, instantiate(to_plain(run.config.loss), where="loss", given={"metric": metric})


def _train_and_predict(
    run: RunFolder, fold: Fold, settings: TrainSettings, start: Pretrained | None, *, log: Callable[..., None]
) -> tuple[FoldResult, dict[str, np.ndarray]]:
    """A trained fold, and what it predicts for its held-out planets."""
    held_out, device = fold.held_out, run.device()
    torch.manual_seed(run.seed + fold.number)
    model, loss = _model_and_loss(run, held_out.dataset, held_out.metric)
    if start is not None:
        left = start.give_to(model, start.parts_for(run.config.model))
        fold = replace(fold, pretrained=not left)
    run.record(parameters=model.n_parameters())
    with run.step(f"train fold {fold.number}"):
        result = train_fold(model, loss, fold, settings=settings, device=device, log=log, budget=run.budget)
    for name, choice in model.backends().items():
        run.backend(name, choice, show=False)  # the model has said what is not usual
    kept = f"the weights after epoch {result.chosen_epoch} of {result.epochs_run}"
    if result.chosen_epoch == 0:
        kept = f"the weights that it began with, which {result.epochs_run} epochs of training did not better"
    say(f"fold {fold.number}: score {result.held_out_score:.4f} on the planets that it was not shown, {kept}")
    model.load_state_dict(result.state)
    how = {"precision": Precision.of(device, settings.amp), "flip_average": settings.time_flip}
    return result, predict_planets(model.to(device.name), held_out.dataset, held_out.rows, **how)


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
