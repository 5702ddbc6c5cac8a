"""Planets measured in batches, in processes and on a GPU: the same numbers, and none lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spectramind_kit.training import measurement_jobs
from spectramind_kit.training.measurement_jobs import MeasurementJob, run_batch, run_jobs
from spectramind_kit.transit import DepthMeasurement
from spectramind_kit.transit.settings import AnchorSettings
from tests.transit.synthetic import make_light_curve, make_planet

SETTINGS = AnchorSettings(iterations=2)


def _jobs(folder: Path, n: int) -> list[MeasurementJob]:
    planet = make_planet(0)
    return [
        MeasurementJob(
            folder / f"{k}.npz", [make_light_curve(planet, seed=k, planet_id=k, n_times=60)], planet.star
        )
        for k in range(n)
    ]


def _numbers(results) -> dict[int, np.ndarray]:
    found = dict(results)
    assert all(isinstance(m, DepthMeasurement) for m in found.values())
    return {planet: m.depth_score for planet, m in found.items()}


def test_workers_and_one_process_give_the_same(tmp_path, monkeypatch) -> None:
    """Guards against batches that are lost or mixed up between processes."""
    monkeypatch.setattr(measurement_jobs, "SERIAL_BELOW", 2)
    monkeypatch.setattr(measurement_jobs, "BATCH", 3)
    jobs = _jobs(tmp_path, 7)
    serial = _numbers(run_jobs(jobs, settings=SETTINGS, workers=1))
    for job in jobs:
        job.path.unlink()
    parallel = _numbers(run_jobs(jobs, settings=SETTINGS, workers=2))
    assert sorted(serial) == sorted(parallel) == list(range(7))
    for planet in serial:
        scale = np.abs(serial[planet]).max()
        assert np.allclose(serial[planet], parallel[planet], atol=1e-6 * scale)
        assert DepthMeasurement.load(tmp_path / f"{planet}.npz").planet_id == planet


def test_one_bad_planet_costs_itself(tmp_path) -> None:
    """Guards against a mistake in one planet's input, or a folder that cannot be, that takes its batch
    along."""
    jobs = _jobs(tmp_path, 4)
    mixed = [*jobs[1].light_curves, dataclasses.replace(jobs[1].light_curves[0], planet_id=77)]
    jobs[1] = dataclasses.replace(jobs[1], light_curves=mixed)
    jobs[2] = dataclasses.replace(jobs[2], path=tmp_path / "a file, no folder" / "2.npz")
    (tmp_path / "a file, no folder").write_text("", encoding="utf-8")
    found = dict(run_batch(jobs, SETTINGS))
    assert "not of one planet" in found[1] and "a file, no folder" in found[2]
    assert isinstance(found[0], DepthMeasurement) and isinstance(found[3], DepthMeasurement)


@pytest.mark.parametrize(("gpu_seconds", "wins"), [(0.0, True), (1e3, False)])
def test_the_faster_of_processor_and_gpu_goes_on(
    tmp_path, monkeypatch, gpu_seconds: float, wins: bool
) -> None:
    """Guards against a slow GPU (float64 on a T4) that is used because it is there, and against planets lost
    in the race."""
    clock, used = [0.0], []
    real = measurement_jobs.run_batch

    def timed(jobs, settings, device="cpu"):
        used.append((device, len(jobs)))
        clock[0] += len(jobs) * (gpu_seconds if device == "fake" else 1.0)
        return real(jobs, settings)

    monkeypatch.setattr(measurement_jobs, "run_batch", timed)
    monkeypatch.setattr(measurement_jobs.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(measurement_jobs, "RACE_ABOVE", 8)
    monkeypatch.setattr(measurement_jobs, "_RACERS", (2, 2))
    told = []
    jobs = _jobs(tmp_path, 9)
    found = _numbers(run_jobs(jobs, settings=SETTINGS, workers=1, gpu="fake", tell=told.append))
    assert sorted(found) == list(range(9)) and len(told) == 1
    assert used[:4] == [("cpu", 1), ("cpu", 2), ("fake", 2), ("fake", 2)]
    assert used[4:] == [("fake" if wins else "cpu", 2)]
    used.clear()
    again = _numbers(run_jobs(jobs[:3], settings=SETTINGS, workers=1, gpu="fake", winner=told[0]))
    assert sorted(again) == [0, 1, 2] and used == [("fake" if wins else "cpu", 3)]
