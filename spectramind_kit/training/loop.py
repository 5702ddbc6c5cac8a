"""Train one fold: warm start, averaged weights, checkpoint and resume, time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.runtime import Device, TimeBudget, say
from spectramind_kit.training.contributions import embedding_drops
from spectramind_kit.training.evaluation import HeldOut, evaluate_rows
from spectramind_kit.training.fold_state import FoldState
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.schedule import WarmStart
from spectramind_kit.training.settings import TrainSettings


@dataclass(frozen=True)
class Fold:
    """What one fold is trained on."""

    number: int
    train_rows: np.ndarray  # (R,) int, rows of ``held_out.dataset``
    held_out: HeldOut
    seed: int
    checkpoint: Path
    digest: str  # of the training's inputs: a checkpoint of others is not gone on from


@dataclass(frozen=True)
class FoldResult:
    """A trained fold."""

    fold: int
    state: dict[str, torch.Tensor]  # averaged weights after the last epoch
    held_out_score: float  # not clipped
    anchor_score: float  # the same of the anchors of these planets
    epochs_run: int


def train_fold(
    model: nn.Module,
    loss: nn.Module,
    fold: Fold,
    *,
    settings: TrainSettings,
    device: Device,
    log: Callable[..., None],
    budget: TimeBudget | None = None,
) -> FoldResult:
    """Train ``model`` on the fold's train rows; the held-out ones are only scored.

    Taking the epoch that is best on the held-out planets would make their predictions optimistic, and with
    them the sigma scale that is fitted on them: so the weights are those after the last epoch, averaged, with
    the learning rate gone to zero. Goes on from the checkpoint if it is there and whole; ends early, with a
    word, when ``budget`` runs out.
    """
    model.to(device.name)
    precision, steps = Precision.of(device, settings.amp), -(-len(fold.train_rows) // settings.batch_size)
    state = FoldState(model, settings=settings, precision=precision, steps_per_epoch=steps)
    warm_start = WarmStart(
        model.airs_encoder,
        frozen_epochs=settings.warm_start_epochs,
        release_every=settings.release_every_epochs,
    )
    state.resume(fold.checkpoint, digest=fold.digest)
    if 0 < state.epoch < settings.epochs:
        say(f"fold {fold.number}: going on after epoch {state.epoch}")
    if state.held_out_score is None:  # the untouched model: with the anchored head, the anchor itself
        every = [name for name, _ in warm_start.groups]
        _score(state, fold, log, seconds=0.0, frozen=every, loss_terms={}, gradient_share={})
    while not state.finished:
        start = time.monotonic()
        frozen = warm_start.apply(state.epoch)
        means = _one_epoch(state, loss, fold)
        state.epoch += 1
        seconds = round(time.monotonic() - start, 3)
        _score(state, fold, log, seconds=seconds, frozen=frozen, **means, learning_rate=state.learning_rate)
        state.save(fold.checkpoint, digest=fold.digest)
        if budget is not None:
            budget.charge("train_epoch", units=1, seconds=time.monotonic() - start)
            if not budget.fits("train_epoch", units=1) and not state.finished:
                what = f"stopped after epoch {state.epoch}, the time budget is used up"
                say(f"fold {fold.number}: {what}; started again, it goes on from there")
                break
    weights = {name: value.detach().cpu() for name, value in state.average.state.items()}
    scores = float(state.held_out_score), fold.held_out.anchor_score
    return FoldResult(fold.number, weights, *scores, state.epoch)


def _one_epoch(state: FoldState, loss: nn.Module, fold: Fold) -> dict[str, dict[str, float]]:
    """Every train row once; mean ``loss_terms`` and ``gradient_share``."""
    settings, precision = state.settings, state.precision
    rng = np.random.default_rng((fold.seed, fold.number, state.epoch + 1))
    # of its own for each epoch: a resumed run draws what a whole one does
    torch.manual_seed(int(rng.integers(2**31)))
    state.model.train()
    sizes, terms, shares = [], [], []
    order = rng.permutation(fold.train_rows)
    for first in range(0, len(order), settings.batch_size):
        rows = order[first : first + settings.batch_size]
        flipped = settings.time_flip and rng.random() < 0.5
        batch = fold.held_out.dataset.batch(rows, device=precision.device.name, flipped=flipped)
        with precision.autocast():
            output = state.model(batch)
        found = loss(output, batch, epoch=state.epoch)
        shares.append(state.step(found.total))
        terms.append({name: float(v.detach()) for name, v in {"total": found.total, **found.terms}.items()})
        sizes.append(len(rows))
    return {"loss_terms": _means(terms, sizes), "gradient_share": _means(shares, sizes)}


def _means(parts: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> dict[str, float]:
    return {name: float(np.average([part[name] for part in parts], weights=sizes)) for name in parts[0]}


def _score(state: FoldState, fold: Fold, log: Callable[..., None], **fields: Any) -> None:
    """Score the averaged weights on the held-out planets, and write the epoch's record."""
    model, held_out, settings, precision = state.averaged(), fold.held_out, state.settings, state.precision
    found = evaluate_rows(
        model,
        held_out.dataset,
        held_out.rows,
        precision=precision,
        batch_size=settings.batch_size,
        flip_average=settings.time_flip,
    )
    score = state.held_out_score = held_out.score(found["depth_mean"], found["depth_sigma"])
    drops = embedding_drops(
        model, held_out, score=score, precision=precision, batch_size=settings.batch_size, seed=fold.seed
    )
    log(
        "epoch",
        training=fold.digest,
        fold=fold.number,
        epoch=state.epoch,
        held_out_score=score,
        anchor_score=held_out.anchor_score,
        contribution_score_drop=drops,
        device=precision.device.note,
        amp_dtype=settings.amp,
        **fields,
    )
