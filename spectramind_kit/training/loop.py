"""Train one fold: warm start, averaged weights, checkpoint and resume, time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import Device, TimeBudget, say, say_once
from spectramind_kit.training.contributions import embedding_drops
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import HeldOut, evaluate_rows
from spectramind_kit.training.fold_state import FoldState
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.schedule import WarmStart
from spectramind_kit.training.settings import TrainSettings

_BROKEN_STEPS = 20  # so many in a row without a finite loss: the network is lost


@dataclass(frozen=True)
class Fold:
    """What one fold is trained on."""

    number: int
    train_rows: np.ndarray  # (R,) int, rows of ``held_out.dataset``
    held_out: HeldOut
    seed: int = 0
    checkpoint: Path | None = None  # where every epoch is kept, so that a restart goes on; None: nowhere
    digest: str = ""  # of the training's inputs: a checkpoint of others is not gone on from
    pretrained: bool = False  # whether the model comes with weights that were trained before

    def split(self, share: float) -> tuple[np.ndarray, HeldOut | None]:
        """Rows to train on, and the inner planets that choose the epoch; none of fewer than four planets."""
        dataset = self.held_out.dataset
        planets = np.unique(dataset.planet_id[self.train_rows])
        n_inner = int(round(share * len(planets)))
        if min(n_inner, len(planets) - n_inner) < 4:
            return self.train_rows, None
        rng = np.random.default_rng((self.seed, self.number))
        inside = np.isin(dataset.planet_id[self.train_rows], rng.permutation(planets)[:n_inner])
        inner = HeldOut(dataset, self.train_rows[inside], self.held_out.metric)
        return self.train_rows[~inside], inner


@dataclass(frozen=True)
class FoldResult:
    """A trained fold."""

    fold: int
    state: dict[str, torch.Tensor]  # averaged weights of the chosen epoch
    held_out_score: float  # not clipped
    reference_score: float  # the same of what the network corrects: the anchor
    epochs_run: int
    chosen_epoch: int  # 0: the weights that it began with


def _nowhere(event: str, **fields: Any) -> None:
    """A log that keeps nothing."""


def train_fold(
    model: nn.Module,
    loss: nn.Module,
    fold: Fold,
    *,
    settings: TrainSettings,
    device: Device,
    log: Callable[..., None] = _nowhere,
    budget: TimeBudget | None = None,
) -> FoldResult:
    """Train ``model`` on the fold's train rows; the held-out ones are only scored.

    The epoch is chosen on inner planets out of the train rows (`Fold.split`, `Chosen`): chosen on the
    held-out ones, their predictions would be optimistic, and with them all that is fitted on these. Goes on
    from the checkpoint if it is there and whole; ends early, with a word, when ``budget`` runs out.
    ``log("epoch", epoch=…, held_out_score=…, loss_terms=…, …)`` is called after every epoch.
    """
    model.to(device.name)
    rows, inner = fold.split(settings.inner_share)
    precision, steps = Precision.of(device, settings.amp), -(-len(rows) // settings.batch_size)
    state = FoldState(model, settings=settings, precision=precision, steps_per_epoch=steps)
    encoders = (model.airs_encoder, model.fgs1_encoder) if fold.pretrained else (model.airs_encoder,)
    warm_start = WarmStart(
        *encoders, frozen_epochs=settings.warm_start_epochs, release_every=settings.release_every_epochs
    )
    if fold.checkpoint is not None:
        state.resume(fold.checkpoint, digest=fold.digest)
    if 0 < state.epoch < settings.epochs:
        say(f"fold {fold.number}: going on after epoch {state.epoch}")
    if state.held_out_score is None:  # the untouched model: with the anchored head, the anchor itself
        every = [name for name, _ in warm_start.groups]
        _score(state, fold, inner, log, seconds=0.0, frozen=every, loss_terms={}, gradient_share={})
    while not state.finished:
        start = time.monotonic()
        frozen = warm_start.apply(state.epoch)
        means = _one_epoch(state, loss, fold, rows)
        state.epoch += 1
        learning = {"frozen": frozen, **means, "learning_rate": state.learning_rate}
        _score(state, fold, inner, log, seconds=round(time.monotonic() - start, 3), **learning)
        if fold.checkpoint is not None:
            state.save(fold.checkpoint, digest=fold.digest)
        if budget is not None:
            budget.charge("train_epoch", units=1, seconds=time.monotonic() - start)
            if not budget.fits("train_epoch", units=1) and not state.finished:
                what = f"stopped after epoch {state.epoch}, the time budget is used up"
                say(f"fold {fold.number}: {what}; started again, it goes on from there")
                break
    chosen = state.chosen
    scores = float(state.held_out_score), fold.held_out.reference_score
    return FoldResult(fold.number, chosen.state, *scores, state.epoch, chosen.epoch)


def _one_epoch(
    state: FoldState, loss: nn.Module, fold: Fold, rows: np.ndarray
) -> dict[str, dict[str, float]]:
    """Every train row once; mean ``loss_terms`` and ``gradient_share``."""
    dataset = fold.held_out.dataset
    rng = np.random.default_rng((fold.seed, fold.number, state.epoch + 1))
    batches = dataset.batches(rows, size=state.settings.batch_size, rng=rng)
    return train_epoch(state, loss, ((dataset, batch) for batch in batches), rng=rng)


def train_epoch(
    state: FoldState,
    loss: nn.Module,
    batches: Iterable[tuple[VisitDataset, np.ndarray]],
    *,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """One step per batch, rows of a dataset; mean ``loss_terms`` and ``gradient_share``.

    A batch without a finite loss is left out and its planets are named. Raises DataError where many in a row
    are: the network itself is lost then.
    """
    settings, precision = state.settings, state.precision
    # of its own for each epoch: a resumed run draws what a whole one does
    torch.manual_seed(int(rng.integers(2**31)))
    state.model.train()
    sizes, terms, shares, broken = [], [], [], 0
    for dataset, rows in batches:
        flipped = settings.time_flip and rng.random() < 0.5
        batch = dataset.batch(rows, device=precision.device.name, flipped=flipped)
        with precision.autocast():
            output = state.model(batch)
        found = loss(output, batch, epoch=state.epoch)
        if not torch.isfinite(found.total):
            broken += 1
            _tell_broken(output, dataset.planet_id[rows], lost=broken >= _BROKEN_STEPS)
            continue
        broken = 0
        shares.append(state.step(found.total))
        terms.append({name: float(v.detach()) for name, v in {"total": found.total, **found.terms}.items()})
        sizes.append(len(rows))
    return {"loss_terms": _means(terms, sizes), "gradient_share": _means(shares, sizes)}


def _tell_broken(output: Any, planet_id: np.ndarray, *, lost: bool) -> None:
    finite = torch.isfinite(output.depth_mean) & torch.isfinite(output.depth_sigma)
    planets = planet_id[~finite.all(dim=1).cpu().numpy()]
    named = ", ".join(map(str, planets[:5])) or "no single planet: " + ", ".join(map(str, planet_id[:5]))
    if lost:
        raise DataError(
            "the network gives no finite numbers any more",
            where="training",
            found=f"{_BROKEN_STEPS} batches in a row, the last with planets {named}",
            fix="a lower train.learning_rate, or train.amp=float32",
        )
    say_once(f"a batch without a finite loss is left out, because of planets {named}")


def _means(parts: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> dict[str, float]:
    names = parts[0] if parts else ()
    return {name: float(np.average([part[name] for part in parts], weights=sizes)) for name in names}


def _score(
    state: FoldState, fold: Fold, inner: HeldOut | None, log: Callable[..., None], **fields: Any
) -> None:
    """Let the inner planets judge the epoch, score the held-out ones, and write the epoch's record.

    ``held_out_score`` is that of the chosen weights, ``latest_score`` of this epoch's.
    """
    settings, precision, held_out = state.settings, state.precision, fold.held_out
    how = {"precision": precision, "batch_size": settings.batch_size}
    model = state.averaged()

    def predicted(judge: HeldOut) -> tuple[np.ndarray, np.ndarray]:
        found = evaluate_rows(model, judge.dataset, judge.rows, **how, flip_average=settings.time_flip)
        return found["depth_mean"], found["depth_sigma"]

    latest = held_out.score(*predicted(held_out))
    scores = None if inner is None else inner.planet_scores(*predicted(inner))
    if state.chosen.offer(state.epoch, state.average.state, scores):
        state.held_out_score = latest
    log(
        "epoch",
        training=fold.digest,
        fold=fold.number,
        epoch=state.epoch,
        held_out_score=state.held_out_score,
        latest_score=latest,
        inner_score=None if scores is None else float(scores.mean()),
        chosen_epoch=state.chosen.epoch,
        reference_score=held_out.reference_score,
        contribution_score_drop=embedding_drops(model, held_out, score=latest, **how, seed=fold.seed),
        device=precision.device.note,
        amp_dtype=settings.amp,
        **fields,
    )
