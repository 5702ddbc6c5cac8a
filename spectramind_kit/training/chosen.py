"""Which epoch's weights are taken: that of planets which are neither trained on nor scored at the end.

A learned correction that is not significantly better than what the training started from stays at that start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# a gain must exceed its error by 1 + 12/N: an error from a dozen planets is uncertain
# (docs/decisions.md D49)
DOUBT_PLANETS = 12.0


def gain_over(scores: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """By how much the scores (N,) of planets exceed others of the same planets, and the error of that."""
    difference = np.asarray(scores, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    n = len(difference)
    error = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    return float(difference.mean()), error


def is_better(scores: np.ndarray, before: np.ndarray) -> bool:
    """Whether the gain (`gain_over`) is larger than its error, and than the doubt that few planets leave."""
    gain, error = gain_over(scores, before)
    return gain > error * (1.0 + DOUBT_PLANETS / len(scores))


@dataclass
class Chosen:
    """The best weights so far; ``start`` (N,) are the scores of the weights that the training began with."""

    epoch: int = 0
    score: float = float("-inf")  # mean over the inner planets
    state: dict[str, torch.Tensor] | None = None
    start: np.ndarray | None = None

    def offer(self, epoch: int, state: Mapping[str, torch.Tensor], scores: np.ndarray | None) -> bool:
        """Take these weights if they are better; without inner planets (None) the last ones always are."""
        if scores is None:
            better, score = True, float("nan")
        elif self.start is None:
            self.start, better, score = scores, True, float(scores.mean())
        else:
            score = float(scores.mean())
            better = score > self.score and is_better(scores, self.start)
        if better:
            self.epoch, self.score = epoch, score
            self.state = {name: value.detach().cpu().clone() for name, value in state.items()}
        return better

    def to_dict(self) -> dict[str, Any]:
        start = None if self.start is None else torch.from_numpy(np.asarray(self.start, dtype=np.float64))
        return {"epoch": self.epoch, "score": self.score, "state": self.state, "start": start}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Chosen:
        start = content["start"]
        return cls(
            content["epoch"], content["score"], content["state"], None if start is None else start.numpy()
        )
