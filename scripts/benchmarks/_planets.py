"""Simulated planets at the light-curve level, measured by the anchor, and the baseline to beat."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.metric import Metric
from spectramind_kit.runtime import progress
from spectramind_kit.simulator import SimulatedPlanet, draw_visits, simulate_light_curves, world

TOGETHER = 20  # planets that are measured in one go, as the worker processes of a run do


@dataclass(frozen=True)
class MeasuredPlanets:
    planets: list[SimulatedPlanet]
    measurements: list  # `DepthMeasurement`, one per planet
    seconds_per_visit: float  # CPU

    @property
    def labels(self) -> np.ndarray:
        """(N, 283)"""
        return np.array([planet.label for planet in self.planets])

    @property
    def n_visits(self) -> int:
        return sum(len(planet.visits) for planet in self.planets)

    def flat_estimates(self) -> np.ndarray:
        return flat_estimates({planet.planet_id: planet.curves for planet in self.planets})


def simulated_planets(n: int, seed: int, split: str, sky: str = "real") -> Iterator[list[SimulatedPlanet]]:
    """Planets 0 … n of a split of a world, `TOGETHER` at a time."""
    for start in range(0, n, TOGETHER):
        size = min(TOGETHER, n - start)
        batch = simulate_light_curves(size, seed=seed, split=split, start=start, settings=world(sky))
        yield list(batch.planets())


def measured_planets(n: int, seed: int, split: str, sky: str = "real") -> MeasuredPlanets:
    """The same, each batch measured."""
    from spectramind_kit.transit import measure_together

    planets, measurements, seconds = [], [], 0.0
    batches = progress(
        simulated_planets(n, seed, split, sky),
        desc=f"{sky} {seed} {split}",
        total=-(-n // TOGETHER),
        unit=f"x {TOGETHER} planets",
    )
    for batch in batches:
        start = time.process_time()
        measurements += measure_together([(planet.curves, planet.star) for planet in batch])
        seconds += time.process_time() - start
        planets += batch
    return MeasuredPlanets(planets, measurements, seconds / sum(len(p.visits) for p in planets))


def population_labels(n: int, seed: int) -> np.ndarray:
    """(n, 283) labels of the first train planets of a seed."""
    return np.array([draw_visits(seed, "train", index)[0].label for index in range(n)])


def anchors_score(metric: Metric, labels: np.ndarray, anchors: Sequence) -> float:
    return metric.score(
        labels, np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])
    )


def flat_estimates(curves: Mapping[int, Sequence]) -> np.ndarray:
    """(N,) one white-light depth per planet; the median of the others where none is found."""
    from spectramind_kit.inference.flat_depth import flat_depths

    values = np.array(list(flat_depths(curves).values()))
    return np.where(np.isfinite(values), values, np.nanmedian(values))


def flat_score(
    learn: tuple[np.ndarray, np.ndarray], judge: tuple[np.ndarray, np.ndarray], metric: Metric
) -> float:
    """One depth per planet, one sigma for all, fitted on ``learn`` = labels (N, 283) and estimates (N,)."""
    from spectramind_kit.inference.flat_depth import fit_flat_baseline

    labels, estimates = judge
    mean, sigma = fit_flat_baseline(*learn, metric=metric).spectra(estimates)
    return metric.score(labels, np.maximum(mean, 0.0), sigma)
