"""Predictions whose depths are known, and how good they are: one set of numbers for figures and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spectramind_kit.metric import Metric
from spectramind_kit.robust import mad_sigma
from spectramind_kit.run_folder.predictions import STAGES, Predictions
from spectramind_kit.run_folder.results import RunResults

NO_LABELS = "no planet has both a prediction and a known depth (labels or truth)"


@dataclass(frozen=True)
class JudgedSet:
    """The test planets with a truth, or the train planets out of fold."""

    name: str  # for legends; begins with "test" or "train"
    predictions: Predictions  # with known depths
    metric: Metric  # of the run

    def __len__(self) -> int:
        return len(self.predictions)

    def at(self, stage: str) -> JudgedSet:
        """The same planets with the predictions of another stage."""
        return replace(self, predictions=self.predictions.with_stage(stage))

    @cached_property
    def error(self) -> np.ndarray:
        """depth_mean − depth, (N, 283)."""
        return self.predictions.depth_mean - self.predictions.depth

    @cached_property
    def pulls(self) -> np.ndarray:
        """Errors in units of the predicted σ, (N, 283)."""
        return self.error / self.predictions.depth_sigma

    @cached_property
    def stage_scores(self) -> dict[str, np.ndarray]:
        """Score of each planet (N,), not clipped, after each stage that the run holds."""
        stages = {name: self.predictions.stage(name) for name in STAGES}
        return {
            name: self.metric.planet_scores(self.predictions.depth, *stage)
            for name, stage in stages.items()
            if stage is not None and all(np.isfinite(part).all() for part in stage)
        }

    @property
    def scores(self) -> np.ndarray:
        """Score (N,) of what is submitted, not clipped."""
        return self.stage_scores["final"]

    @cached_property
    def element_scores(self) -> np.ndarray:
        """Score of each planet and bin, (N, 283)."""
        p = self.predictions
        return self.metric.element_scores(p.depth, p.depth_mean, p.depth_sigma)


def judged_sets(run: RunResults) -> list[JudgedSet]:
    """The run's sets with known depths, test first; none without labels and truth."""
    return [JudgedSet(name, predictions, run.metric) for name, predictions in run.judged.items()]


def typical_pull(pulls: np.ndarray) -> float:
    """A typical error in units of its σ, by the median: 1 where σ is honest, and outliers do not move it."""
    return float(mad_sigma(pulls, centre=0.0))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def bootstrap_interval(scores: np.ndarray, *, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """95 % interval of the mean over planets."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.size < 2:
        return float(scores.mean()), float(scores.mean())
    picks = np.random.default_rng(seed).integers(scores.size, size=(draws, scores.size))
    return tuple(float(q) for q in np.quantile(scores[picks].mean(axis=1), (0.025, 0.975)))
