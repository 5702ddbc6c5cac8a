"""What workers do, how many there are, and what becomes of a failure."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from spectramind_kit.detector.building import build_light_curves
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.visit_job import choose_workers
from spectramind_kit.errors import DataError

PLANETS = (11, 12, 13)


@pytest.mark.slow
def test_processes_give_the_same_light_curves(make_competition, kit, tmp_path):
    """Guards the parallel path: same bytes, failures and all."""
    data = make_competition(planets=PLANETS, fresh=True)
    for instrument in (AIRS, FGS1):
        find_visits(data, "train")[1].signal(instrument).write_bytes(b"PAR1")
    one, two = (build_light_curves(data, tmp_path / str(n), workers=n) for n in (1, 2))
    assert one.done == two.done == [(11, 0), (13, 0)]
    assert [f.error for f in one.failed] == [f.error for f in two.failed]
    np.testing.assert_array_equal(one.store.load(11, 0).flux, two.store.load(11, 0).flux)
    assert "POLARS_MAX_THREADS" not in os.environ or os.environ["POLARS_MAX_THREADS"] != ""


def test_any_executor(make_competition, tmp_path):
    """Guards the hand-in of an executor: everything goes through its submit."""
    calls = []

    class Recorder(ThreadPoolExecutor):
        def submit(self, *args, **kwargs) -> Future:
            calls.append(args[1].planet_id)
            return super().submit(*args, **kwargs)

    data = make_competition(planets=PLANETS)
    with Recorder(1) as pool:
        report = build_light_curves(data, tmp_path, executor=pool)
    assert sorted(calls) == list(PLANETS) and len(report.done) == 3


def test_workers_follow_cores_and_memory(monkeypatch, capsys):
    """Guards against as many workers as cores on a machine without the memory for them."""
    import spectramind_kit.detector.visit_job as visit_job

    monkeypatch.setattr(visit_job, "cpu_count", lambda: 16)
    monkeypatch.setattr(visit_job, "free_memory_mb", lambda: 5000.0)
    assert choose_workers(100) == 3 and "3 workers" in capsys.readouterr().out
    monkeypatch.setattr(visit_job, "free_memory_mb", lambda: 100.0)
    assert choose_workers(100) == 1
    monkeypatch.setattr(visit_job, "free_memory_mb", lambda: 1e9)
    assert choose_workers(100) == 16 and choose_workers(2) == 2 and choose_workers(9, workers=4) == 4
    with pytest.raises(DataError):
        choose_workers(3, workers=0)


def test_unexpected_failures_cost_one_planet(make_competition, tmp_path, monkeypatch):
    """Guards against an exception nobody foresaw ending a nine-hour run."""
    import spectramind_kit.detector.extraction as extraction

    real = extraction.extract_light_curve

    def fail_on_12(files, **kwargs):
        if files.planet_id == 12:
            raise ZeroDivisionError("surprise")
        return real(files, **kwargs)

    monkeypatch.setattr(extraction, "extract_light_curve", fail_on_12)
    report = build_light_curves(make_competition(planets=PLANETS), tmp_path, workers=1)
    assert report.done == [(11, 0), (13, 0)]
    assert "ZeroDivisionError: surprise" in report.failed[0].error and "planet 12" in report.failed[0].error


@pytest.mark.slow
def test_dask_cluster(make_competition, tmp_path):
    """Guards the documented way to spread stage 1 over a cluster: a Dask client's executor."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    data = make_competition(planets=PLANETS)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        report = build_light_curves(data, tmp_path, executor=client.get_executor())
    assert len(report.done) == 3 and not report.failed
