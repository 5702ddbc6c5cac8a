"""Measure many planets: batches in worker processes, or on a GPU where that is the faster of the two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path

from spectramind_kit.detector import LightCurve
from spectramind_kit.errors import in_words
from spectramind_kit.runtime import say
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.worker_processes import worker_pool

SERIAL_BELOW = 40  # planets: a worker process takes longer to start than so many take to measure
BATCH = 16  # planets that a process fits together
GPU_BATCH = 128
RACE_ABOVE = 48  # planets: below, a GPU has nothing to gain on a few cores
_RACERS = (4, 16)  # planets that the processor and the GPU measure to see which is faster
_GPU_WINS, _PROCESSOR_WINS = "GPU", "processor"
_SHARED = 0.8  # of its speed that a core keeps when all of them work


@dataclass(frozen=True)
class MeasurementJob:
    """One planet to measure."""

    path: Path | None  # the file that keeps its measurement; None: it is only returned
    light_curves: Sequence[LightCurve]  # its visits
    star: dict[str, float]  # its row of the star table
    made_from: Mapping[str, str] = field(default_factory=dict)  # `made_from.measurement_made_from`

    @property
    def planet_id(self) -> int:
        return self.light_curves[0].planet_id


Tell = Callable[[str], None]
Result = tuple[int, DepthMeasurement | str]  # planet, and its measurement or the text of what went wrong


def run_jobs(
    jobs: Sequence[MeasurementJob],
    *,
    settings: AnchorSettings,
    workers: int,
    gpu: str | None = None,
    winner: str | None = None,
    tell: Tell = say,
) -> Iterator[Result]:
    """Measure every planet, write its file, and yield it as soon as it is there (batches in any order).

    Parameters
    ----------
    gpu : a device's name, optional
        With many planets, a first few are measured on the processor and on the GPU, and the faster of the two
        goes on.
    winner : what ``tell`` was told earlier in this run: no race is needed any more
    tell : is told, in words, which of the two is faster
    """
    left = list(jobs)
    if gpu is not None:
        on_gpu = winner is not None and winner.startswith(_GPU_WINS)
        if winner is None and len(left) >= RACE_ABOVE:
            on_gpu, results = _race(left, settings=settings, workers=workers, gpu=gpu, tell=tell)
            yield from results
            left = left[len(results) :]
        while on_gpu and left:
            batch, left = left[:GPU_BATCH], left[GPU_BATCH:]
            yield from run_batch(batch, settings, gpu)
    yield from _on_processor(left, settings=settings, workers=workers)


def run_batch(jobs: Sequence[MeasurementJob], settings: AnchorSettings, device: str = "cpu") -> list[Result]:
    """Fit a few planets together. Whatever breaks is said with its planet: one must not cost the run."""
    from spectramind_kit.transit import measure_together

    planets = [(job.light_curves, job.star) for job in jobs]
    try:
        measurements = measure_together(planets, settings=settings, device=device)
    except Exception as error:
        if len(jobs) > 1:
            return [result for job in jobs for result in run_batch([job], settings, device)]
        return [(jobs[0].planet_id, in_words(error))]
    results: list[Result] = []
    for job, measurement in zip(jobs, measurements):
        try:
            measurement = replace(measurement, made_from=dict(job.made_from))
            if job.path is not None:
                measurement.save(job.path)
            results.append((job.planet_id, measurement))
        except OSError as error:
            results.append((job.planet_id, in_words(error)))
    return results


def _race(
    jobs: Sequence[MeasurementJob], *, settings: AnchorSettings, workers: int, gpu: str, tell: Tell
) -> tuple[bool, list[Result]]:
    """Whether the GPU is faster than ``workers`` cores, and what was measured to find out."""
    few, many = _RACERS
    seconds, results = [], []
    # the first batch of each warms up: kernels are loaded, tables are made
    trials = (("cpu", 1, False), ("cpu", few, True), (gpu, many, False), (gpu, many, True))
    for device, size, counts in trials:
        batch = jobs[len(results) : len(results) + size]
        start = time.perf_counter()
        results += run_batch(batch, settings, device)
        if counts:
            seconds.append((time.perf_counter() - start) / len(batch))
    cpu, on_gpu = seconds[0] / max(1.0, _SHARED * workers), seconds[1]
    faster = on_gpu < cpu
    times = f"{1e3 * on_gpu:.0f} ms a planet on the GPU, {1e3 * cpu:.0f} ms on {workers} cores"
    tell(f"{_GPU_WINS if faster else _PROCESSOR_WINS}, float64 ({times})")
    return faster, results


def _on_processor(
    jobs: Sequence[MeasurementJob], *, settings: AnchorSettings, workers: int
) -> Iterator[Result]:
    """In worker processes where there are many planets; what those leave is measured in this one."""
    left = {job.planet_id: job for job in jobs}
    if workers > 1 and len(jobs) > SERIAL_BELOW:
        batches = _batches(jobs, max(1, min(BATCH, -(-len(jobs) // workers))))
        with worker_pool(workers, task="anchor measurements", initializer=_one_thread) as pool:
            try:
                futures = [] if pool is None else [pool.submit(run_batch, b, settings) for b in batches]
                for future in as_completed(futures):
                    for planet, result in future.result():
                        del left[planet]
                        yield planet, result
            except BrokenProcessPool:
                say(f"a worker process died; the {len(left)} planets left are measured by this one")
    for batch in _batches(list(left.values()), BATCH):
        yield from run_batch(batch, settings)


def _batches(jobs: Sequence[MeasurementJob], size: int) -> list[Sequence[MeasurementJob]]:
    return [jobs[first : first + size] for first in range(0, len(jobs), size)]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
