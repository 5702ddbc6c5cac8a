"""How many epochs fit the time that is left: measured on this machine, before the first of them."""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
from torch import nn

from spectramind_kit.runtime import Device, TimeBudget
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.settings import TrainSettings

_SHARE_OF_THE_TIME = 0.8  # the rest is for scoring, for the bundle, and for a machine that slows down
_READ_PER_EPOCH = 1.5  # passes without a gradient, in train passes: held-out and inner planets, contributions
_WARM_UP, _TIMED = 1, 2  # batches


def plan_epochs(
    model: nn.Module,
    loss: nn.Module,
    dataset: VisitDataset,
    *,
    settings: TrainSettings,
    device: Device,
    budget: TimeBudget,
) -> int:
    """Epochs for each of ``settings.folds`` folds, at most ``settings.epochs``, 0 where none fits.

    A copy of the model takes a few steps; neither the model nor the random numbers of the training change.
    """
    rows = np.arange(len(dataset))
    batches = dataset.batches(rows, size=settings.batch_size)
    precision = Precision.of(device, settings.amp)
    twin = copy.deepcopy(model).to(device.name).train()
    with torch.random.fork_rng(devices=[device.name] if device.kind == "cuda" else []):
        for batch in batches[:_WARM_UP]:
            _step(twin, loss, dataset, batch, precision)
        timed = batches[:_TIMED]
        start = time.monotonic()
        for batch in timed:
            _step(twin, loss, dataset, batch, precision)
        seconds = (time.monotonic() - start) / sum(map(len, timed))
    share = (settings.folds - 1) / settings.folds
    per_epoch = seconds * len(rows) * (share + _READ_PER_EPOCH * (1.0 - share) / 2.0)
    left = _SHARE_OF_THE_TIME * budget.left_s
    return int(min(settings.epochs, left / max(settings.folds * per_epoch, 1e-9)))


def _step(
    model: nn.Module, loss: nn.Module, dataset: VisitDataset, rows: np.ndarray, precision: Precision
) -> None:
    batch = dataset.batch(rows, device=precision.device.name)
    with precision.autocast():
        output = model(batch)
    loss(output, batch).total.backward()
    if precision.device.kind == "cuda":
        torch.cuda.synchronize()
