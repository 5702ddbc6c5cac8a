"""What changes while a fold is trained: weights and their average, the optimiser, and how far it is."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from spectramind_kit.training.checkpoint import save_checkpoint, try_resume
from spectramind_kit.training.chosen import Chosen
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.schedule import (
    AveragedWeights,
    gradient_share,
    learning_rate_factor,
    parameter_groups,
)
from spectramind_kit.training.settings import TrainSettings


class FoldState:
    """A model that is being trained. ``epoch`` is the last one that is whole, 0 before the first."""

    def __init__(
        self, model: nn.Module, *, settings: TrainSettings, precision: Precision, steps_per_epoch: int
    ):
        self.model, self.settings, self.precision = model, settings, precision
        self._twin = copy.deepcopy(model)
        self.epoch, self.held_out_score, self.chosen = 0, None, Chosen()
        cuda = precision.device.kind == "cuda"
        groups = parameter_groups(
            model, weight_decay=settings.weight_decay, sigma_weight_decay=settings.sigma_weight_decay
        )
        self.optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=cuda)
        total, warmup = steps_per_epoch * settings.epochs, settings.warmup_fraction
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: learning_rate_factor(step, total_steps=total, warmup_fraction=warmup)
        )
        self.scaler = precision.scaler()
        self.average = AveragedWeights(model, decay=settings.ema_decay)
        self._parts = (
            ("fgs1", model.fgs1_encoder),
            ("airs", model.airs_encoder),
            ("fusion", model.fusion),
            ("decoder", model.decoder),
        )

    @property
    def finished(self) -> bool:
        return self.epoch == self.settings.epochs

    def averaged(self) -> nn.Module:
        """A twin of the model with the averaged weights."""
        self._twin.load_state_dict(self.average.state)
        return self._twin

    @property
    def learning_rate(self) -> float:
        return self.schedule.get_last_lr()[0]

    def step(self, loss: Tensor) -> dict[str, float]:
        """Backward pass and one step of everything; each part's share of the gradient."""
        if self.scaler is None:
            loss.backward()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimiser)
        shares = gradient_share(self._parts)
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(parameters, self.settings.gradient_clip)
        if self.scaler is not None:
            self.scaler.step(self.optimiser)  # leaves out a step whose gradient overflowed
            self.scaler.update()
        elif torch.isfinite(norm):
            self.optimiser.step()
        self.schedule.step()
        self.average.update(self.model)
        self.optimiser.zero_grad(set_to_none=True)
        return shares

    def save(self, path: Path, *, digest: str) -> None:
        """Write a checkpoint of inputs with this digest."""
        content = {
            "epoch": self.epoch,
            "held_out_score": self.held_out_score,
            "chosen": self.chosen.to_dict(),
            "finished": self.finished,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "scaler": self.scaler.state_dict() if self.scaler is not None else {},
        }
        save_checkpoint(path, content, digest=digest)

    def resume(self, path: Path, *, digest: str) -> None:
        """Take over a checkpoint of the same inputs, where there is one."""
        content = try_resume(path, digest=digest)
        if content is None:
            return
        self.epoch, self.held_out_score = content["epoch"], content["held_out_score"]
        self.chosen = Chosen.from_dict(content["chosen"])
        device = self.precision.device.name
        self.average.state = {k: v.to(device) for k, v in content["average"].items()}
        self.average.steps = content["average_steps"]
        self.model.load_state_dict(content["model"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.schedule.load_state_dict(content["schedule"])
        if self.scaler is not None:
            self.scaler.load_state_dict(content["scaler"])
