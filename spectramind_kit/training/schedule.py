"""Learning rate, warm start and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn


def learning_rate_factor(step: int, *, total_steps: int, warmup_fraction: float) -> float:
    """Linear rise over the first fraction of the steps, then half a cosine down to 0."""
    warmup = max(1, int(round(warmup_fraction * total_steps)))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


class WarmStart:
    """The AIRS encoder stays frozen for the first epochs, then its parts are released, the last first.

    With a fresh encoder on the strong, low-noise side of the fusion, the FGS1 side would otherwise never be
    asked for anything (docs/decisions.md D45). ``groups`` are the encoder's direct children that hold
    parameters.
    """

    def __init__(self, encoder: nn.Module, *, frozen_epochs: int, release_every: int = 1):
        direct = list(encoder.parameters(recurse=False))
        self.groups: list[tuple[str, list[nn.Parameter]]] = [
            (name, list(child.parameters()))
            for name, child in encoder.named_children()
            if any(True for _ in child.parameters())
        ]
        if direct:
            self.groups.insert(0, ("own", direct))
        self.frozen_epochs, self.release_every = frozen_epochs, max(1, release_every)

    def apply(self, epoch: int) -> list[str]:
        """Set ``requires_grad`` for this epoch (0-based) and return the names that are still frozen."""
        released = 0 if epoch < self.frozen_epochs else 1 + (epoch - self.frozen_epochs) // self.release_every
        frozen = []
        for position, (name, parameters) in enumerate(reversed(self.groups)):
            free = position < released
            for parameter in parameters:
                parameter.requires_grad_(free)
            if not free:
                frozen.append(name)
        return frozen


class AveragedWeights:
    """Exponential moving average of a model's floating-point state, with the early bias taken out."""

    def __init__(self, model: nn.Module, *, decay: float):
        self.decay, self.steps = decay, 0
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1.0 + self.steps) / (10.0 + self.steps))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value, 1.0 - decay)
            else:
                self.state[name].copy_(value)


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict]:
    """Weight decay for matrices only: biases, norms, the state-space A, D and Δ biases keep their scale."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in model.parameters():
        exempt = parameter.ndim < 2 or getattr(parameter, "_no_weight_decay", False)
        (free if exempt else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def gradient_share(modules: Sequence[tuple[str, nn.Module]]) -> dict[str, float]:
    """Each module's share of the summed squared gradient; 0 where nothing flows."""
    squares = {
        name: sum(float(p.grad.float().pow(2).sum()) for p in module.parameters() if p.grad is not None)
        for name, module in modules
    }
    total = sum(squares.values())
    return {
        name: (value / total if total > 0 and math.isfinite(total) else 0.0)
        for name, value in squares.items()
    }
