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
    """Encoders stay frozen for the first epochs, then their parts are released, the last first.

    A fresh AIRS encoder alone: on the strong, low-noise side of the fusion, it would otherwise leave nothing
    for FGS1 to be asked for (docs/decisions.md D45). Both encoders of pre-trained weights: a few planets
    first teach the head. ``groups`` are the encoders' direct children that hold parameters.
    """

    def __init__(self, *encoders: nn.Module, frozen_epochs: int, release_every: int = 1):
        self.groups: list[tuple[str, list[nn.Parameter]]] = []
        for encoder in encoders:
            whose = f"{type(encoder).__name__}." if len(encoders) > 1 else ""
            parts = [("own", list(encoder.parameters(recurse=False)))]
            parts += [(name, list(child.parameters())) for name, child in encoder.named_children()]
            self.groups += [(whose + name, parameters) for name, parameters in parts if parameters]
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


def parameter_groups(
    model: nn.Module, *, weight_decay: float, sigma_weight_decay: float | None = None
) -> list[dict]:
    """Weight decay for matrices only: biases, norms, the state-space A, D and Δ biases keep their scale.

    The last layer of sigma has a decay of its own: errors overfit before means do.
    """
    own = weight_decay if sigma_weight_decay is None else sigma_weight_decay
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        exempt = parameter.ndim < 2 or getattr(parameter, "_no_weight_decay", False)
        decay = own if getattr(parameter, "is_of_sigma", False) else weight_decay
        groups.setdefault(0.0 if exempt else decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()]


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
