"""Train one fold: mixed precision, warm start, averaged weights, checkpoint and resume, time budget."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.errors import DataError
from spectramind_kit.metric import array_score
from spectramind_kit.runtime import Device, TimeBudget, say
from spectramind_kit.training.checkpoint import save_checkpoint, try_resume
from spectramind_kit.training.contributions import embedding_drops
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import combine_visits, evaluate_rows
from spectramind_kit.training.schedule import (
    AveragedWeights,
    WarmStart,
    gradient_share,
    learning_rate_factor,
    parameter_groups,
)
from spectramind_kit.training.settings import TrainSettings


@dataclass(frozen=True)
class FoldResult:
    """``state`` are the averaged weights after the last epoch; the scores are unclipped, on the held-out
    planets."""

    fold: int
    state: dict[str, torch.Tensor]
    held_out_score: float
    anchor_score: float
    epochs_run: int


def amp_context(device: Device, amp: str) -> tuple[Callable[[], Any], torch.amp.GradScaler | None]:
    """Autocast factory and, for fp16, a loss scaler. ``amp=auto`` takes what the device's probe found."""
    name = device.amp_dtype if amp == "auto" else amp
    if name not in ("float32", "float16", "bfloat16"):
        raise DataError(
            "unknown precision",
            where="train.amp",
            expected="auto, float32, float16 or bfloat16",
            found=str(amp),
        )
    if name == "float32":
        return nullcontext, None
    dtype = getattr(torch, name)
    scaler = torch.amp.GradScaler(device.kind) if name == "float16" and device.kind == "cuda" else None
    return (lambda: torch.autocast(device.kind, dtype=dtype)), scaler


def train_fold(
    model: nn.Module,
    loss: nn.Module,
    *,
    dataset: VisitDataset,
    train_rows: np.ndarray,
    held_out_rows: np.ndarray,
    fold: int,
    settings: TrainSettings,
    device: Device,
    seed: int,
    naive: Mapping[str, float],
    checkpoint: Path,
    digest: str,
    log: Callable[..., None],
    budget: TimeBudget | None = None,
) -> FoldResult:
    """Train ``model`` on ``train_rows``; ``held_out_rows`` are only scored, never trained on or selected by.

    Taking the epoch that is best on the held-out planets would make their predictions optimistic, and with
    them the sigma scale that is fitted on them: so the weights are those after the last epoch, averaged, with
    the learning rate gone to zero. ``naive`` holds ``naive_mean`` and ``naive_sigma``. Goes on from
    ``checkpoint`` if it is there and whole; ends early, with a word, when ``budget`` runs out.
    """
    model.to(device.name)
    autocast, scaler = amp_context(device, settings.amp)
    optimiser = torch.optim.AdamW(
        parameter_groups(model, weight_decay=settings.weight_decay),
        lr=settings.learning_rate,
        fused=device.kind == "cuda",
    )
    steps_per_epoch = -(-len(train_rows) // settings.batch_size)
    total_steps = steps_per_epoch * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: learning_rate_factor(
            step, total_steps=total_steps, warmup_fraction=settings.warmup_fraction
        ),
    )
    average = AveragedWeights(model, decay=settings.ema_decay)
    warm_start = WarmStart(
        model.airs_encoder,
        frozen_epochs=settings.warm_start_epochs,
        release_every=settings.release_every_epochs,
    )
    twin = copy.deepcopy(model)  # carries the averaged weights when they are scored

    truth, anchor_mean, anchor_sigma = _held_out_truth(dataset, held_out_rows)
    anchor_score = array_score(truth, anchor_mean, anchor_sigma, clip=False, **naive)
    state: dict[str, Any] = {"epoch": 0, "held_out_score": None, "finished": False}

    resumed = try_resume(checkpoint, digest=digest)
    if resumed is not None:
        state = {name: resumed[name] for name in state}
        average.state = {k: v.to(device.name) for k, v in resumed["average"].items()}
        average.steps = resumed["average_steps"]
        if state["finished"]:
            return _result(fold, state, average=average, anchor_score=anchor_score)
        model.load_state_dict(resumed["model"])
        optimiser.load_state_dict(resumed["optimiser"])
        schedule.load_state_dict(resumed["schedule"])
        if scaler is not None:
            scaler.load_state_dict(resumed["scaler"])
        say(f"fold {fold}: going on after epoch {state['epoch']}")

    def score_now(epoch: int, terms: Mapping[str, float], **fields: Any) -> None:
        twin.load_state_dict(average.state)
        evaluated = evaluate_rows(
            twin,
            dataset,
            held_out_rows,
            device=device.name,
            autocast=autocast,
            batch_size=settings.batch_size,
            flip_average=settings.time_flip,
        )
        _, mean, sigma = combine_visits(
            dataset.planet_id[held_out_rows], evaluated["depth_mean"], evaluated["depth_sigma"]
        )
        score = array_score(truth, mean, sigma, clip=False, **naive)
        drops = embedding_drops(
            twin,
            dataset,
            held_out_rows,
            truth=truth,
            score=score,
            naive=naive,
            device=device.name,
            autocast=autocast,
            batch_size=settings.batch_size,
            seed=seed,
        )
        log(
            "epoch",
            training=digest,
            fold=fold,
            epoch=epoch,
            held_out_score=score,
            anchor_score=anchor_score,
            loss_terms=dict(terms),
            contribution_score_drop=drops,
            device=device.note,
            amp_dtype=settings.amp,
            **fields,
        )
        state["held_out_score"] = score

    def save(**fields: Any) -> None:
        state.update(fields)
        save_checkpoint(
            checkpoint,
            digest=digest,
            content={
                **state,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "average": average.state,
                "average_steps": average.steps,
                "scaler": scaler.state_dict() if scaler is not None else {},
            },
        )

    # epoch 0, the untouched model: with the anchored head, the anchor itself
    if state["held_out_score"] is None:
        score_now(0, {}, seconds=0.0, frozen=[name for name, _ in warm_start.groups], gradient_share={})

    for epoch in range(state["epoch"] + 1, settings.epochs + 1):
        start = time.monotonic()
        frozen = warm_start.apply(epoch - 1)
        rng = np.random.default_rng((seed, fold, epoch))
        # of its own for each epoch: a resumed run draws what a whole one does
        torch.manual_seed(int(rng.integers(2**31)))
        model.train()
        sums: dict[str, float] = {}
        shares: dict[str, float] = {}
        order = rng.permutation(train_rows)
        for first in range(0, len(order), settings.batch_size):
            rows = order[first : first + settings.batch_size]
            batch = dataset.batch(rows, device=device.name, flipped=settings.time_flip and rng.random() < 0.5)
            optimiser.zero_grad(set_to_none=True)
            with autocast():
                output = model(batch)
            terms = loss(output, batch, epoch=epoch - 1)
            if scaler is None:
                terms.total.backward()
            else:
                scaler.scale(terms.total).backward()
                scaler.unscale_(optimiser)
            for name, share in gradient_share(
                (
                    ("fgs1", model.fgs1_encoder),
                    ("airs", model.airs_encoder),
                    ("fusion", model.fusion),
                    ("decoder", model.decoder),
                )
            ).items():
                shares[name] = shares.get(name, 0.0) + share * len(rows) / len(order)
            norm = nn.utils.clip_grad_norm_(
                [p for p in model.parameters() if p.grad is not None], settings.gradient_clip
            )
            if scaler is not None:
                scaler.step(optimiser)  # leaves out a step whose gradient overflowed
                scaler.update()
            elif torch.isfinite(norm):
                optimiser.step()
            schedule.step()
            average.update(model)
            for name, value in {"total": terms.total, **terms.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(rows) / len(order)
        score_now(
            epoch,
            sums,
            seconds=round(time.monotonic() - start, 3),
            frozen=frozen,
            gradient_share=shares,
            learning_rate=schedule.get_last_lr()[0],
        )
        seconds = time.monotonic() - start
        if budget is not None:
            budget.charge("train_epoch", units=1, seconds=seconds)
        late = budget is not None and not budget.fits("train_epoch", units=1)
        save(epoch=epoch, finished=epoch == settings.epochs)
        if late and not state["finished"]:
            say(
                f"fold {fold}: stopped after epoch {epoch}, the time budget is used up; started again, it "
                "goes on from there"
            )
            break
    return _result(fold, state, average=average, anchor_score=anchor_score)


def _held_out_truth(dataset: VisitDataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = dataset.planet_id[rows]
    tensors = (
        dataset.tensors[name][torch.as_tensor(rows)].numpy()
        for name in ("depth", "anchor_depth", "anchor_err")
    )
    depth, anchor_depth, anchor_err = tensors
    _, truth, _ = combine_visits(ids, depth, anchor_err)
    _, mean, sigma = combine_visits(ids, anchor_depth, anchor_err)
    return truth, mean, sigma


def _result(
    fold: int, state: Mapping[str, Any], *, average: AveragedWeights, anchor_score: float
) -> FoldResult:
    return FoldResult(
        fold=fold,
        state={k: v.detach().cpu() for k, v in average.state.items()},
        held_out_score=float(state["held_out_score"]),
        anchor_score=anchor_score,
        epochs_run=state["epoch"],
    )
