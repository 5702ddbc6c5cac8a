"""Train one fold: warm start, averaged weights, checkpoint and resume, time budget."""

from __future__ import annotations

import copy
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
    judge = _Judge(copy.deepcopy(model), fold, settings=settings, precision=precision, log=log)
    state.resume(fold.checkpoint, digest=fold.digest, device=device.name)
    if 0 < state.epoch < settings.epochs:
        say(f"fold {fold.number}: going on after epoch {state.epoch}")
    if state.held_out_score is None:  # the untouched model: with the anchored head, the anchor itself
        every = [name for name, _ in warm_start.groups]
        judge.score(state, seconds=0.0, frozen=every, loss_terms={}, gradient_share={})
    while not state.finished:
        start = time.monotonic()
        frozen = warm_start.apply(state.epoch)
        means = _one_epoch(state, loss, fold, precision)
        state.epoch += 1
        seconds = round(time.monotonic() - start, 3)
        judge.score(state, seconds=seconds, frozen=frozen, **means, learning_rate=state.learning_rate)
        state.save(fold.checkpoint, digest=fold.digest)
        if budget is not None:
            budget.charge("train_epoch", units=1, seconds=time.monotonic() - start)
            if not budget.fits("train_epoch", units=1) and not state.finished:
                what = f"stopped after epoch {state.epoch}, the time budget is used up"
                say(f"fold {fold.number}: {what}; started again, it goes on from there")
                break
    weights = {name: value.detach().cpu() for name, value in state.average.state.items()}
    return FoldResult(fold.number, weights, float(state.held_out_score), judge.anchor_score, state.epoch)


def _one_epoch(
    state: FoldState, loss: nn.Module, fold: Fold, precision: Precision
) -> dict[str, dict[str, float]]:
    """Every train row once; mean ``loss_terms`` and ``gradient_share``."""
    settings, device = state.settings, precision.device.name
    rng = np.random.default_rng((fold.seed, fold.number, state.epoch + 1))
    # of its own for each epoch: a resumed run draws what a whole one does
    torch.manual_seed(int(rng.integers(2**31)))
    state.model.train()
    sizes, terms, shares = [], [], []
    order = rng.permutation(fold.train_rows)
    for first in range(0, len(order), settings.batch_size):
        rows = order[first : first + settings.batch_size]
        flipped = settings.time_flip and rng.random() < 0.5
        batch = fold.held_out.dataset.batch(rows, device=device, flipped=flipped)
        with precision.autocast():
            output = state.model(batch)
        found = loss(output, batch, epoch=state.epoch)
        shares.append(state.step(found.total))
        terms.append({name: float(v.detach()) for name, v in {"total": found.total, **found.terms}.items()})
        sizes.append(len(rows))
    return {"loss_terms": _means(terms, sizes), "gradient_share": _means(shares, sizes)}


def _means(parts: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> dict[str, float]:
    return {name: float(np.average([part[name] for part in parts], weights=sizes)) for name in parts[0]}


class _Judge:
    """Scores the averaged weights on the held-out planets after each epoch, and writes the epoch's record."""

    def __init__(
        self,
        twin: nn.Module,
        fold: Fold,
        *,
        settings: TrainSettings,
        precision: Precision,
        log: Callable[..., None],
    ):
        self.twin, self.fold, self.settings, self.precision, self.log = twin, fold, settings, precision, log
        self.anchor_score = fold.held_out.anchor_score

    def score(self, state: FoldState, **fields: Any) -> None:
        self.twin.load_state_dict(state.average.state)
        held_out, batch_size = self.fold.held_out, self.settings.batch_size
        found = evaluate_rows(
            self.twin,
            held_out.dataset,
            held_out.rows,
            precision=self.precision,
            batch_size=batch_size,
            flip_average=self.settings.time_flip,
        )
        state.held_out_score = held_out.score(found["depth_mean"], found["depth_sigma"])
        drops = embedding_drops(
            self.twin,
            held_out,
            score=state.held_out_score,
            precision=self.precision,
            batch_size=batch_size,
            seed=self.fold.seed,
        )
        self.log(
            "epoch",
            training=self.fold.digest,
            fold=self.fold.number,
            epoch=state.epoch,
            held_out_score=state.held_out_score,
            anchor_score=self.anchor_score,
            contribution_score_drop=drops,
            device=self.precision.device.note,
            amp_dtype=self.settings.amp,
            **fields,
        )
