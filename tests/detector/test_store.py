"""The store: resumable, verified, parallel, and honest about what failed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from spectramind_kit.detector.building import build_light_curves, select_shard
from spectramind_kit.detector.instrument import AIRS, CALIBRATION_PRODUCTS, FGS1
from spectramind_kit.detector.layout import find_visits, read_shared_tables
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.source import source_fingerprints
from spectramind_kit.detector.store import LightCurveStore
from spectramind_kit.detector.visit_job import choose_workers
from spectramind_kit.errors import DataError

PLANETS = (11, 12, 13)


def test_fill_reuse_and_refill(make_competition, tmp_path, capsys):
    """Guards the resume: finished visits are not computed again; damaged, stale and foreign ones are, with a
    line each."""
    data = make_competition(planets=PLANETS, fresh=True)
    first = build_light_curves(data, tmp_path, workers=1)
    assert first.done == [(p, 0) for p in PLANETS] and not first.failed and first.store.visits() == first.done
    stamps = {p: first.store.path(p, 0).stat().st_mtime_ns for p in PLANETS}
    again = build_light_curves(data, tmp_path, workers=1)
    assert again.reused == first.done and not again.done
    assert all(first.store.path(p, 0).stat().st_mtime_ns == stamps[p] for p in PLANETS)
    other = build_light_curves(
        data, tmp_path, workers=1, planets=[11], settings=DetectorSettings(exposures_per_bin=3)
    )
    assert other.done == [(11, 0)] and other.store.folder != first.store.folder

    path = first.store.path(11, 0)
    path.write_bytes(path.read_bytes()[:1000])
    first.store.path(12, 0).write_bytes(first.store.path(13, 0).read_bytes())
    signal_file = find_visits(data, "train")[2].signal(FGS1)
    signal_file.write_bytes(find_visits(data, "train")[0].signal(FGS1).read_bytes() + b"")
    with open(find_visits(data, "train")[2].calibration(AIRS, "dark"), "ab") as f:
        f.write(b" ")
    capsys.readouterr()
    report = build_light_curves(data, tmp_path, workers=1)
    out = capsys.readouterr().out
    assert "planet 11 visit 0 (train): the stored light curve is damaged" in out
    assert "planet 12 visit 0 (train): the stored light curve is damaged (13_0)" in out
    assert "planet 13 visit 0 (train): the stored light curve is stale" in out
    assert (11, 0) in report.done and (12, 0) in report.done


def _change_a_byte(path, place):
    """Another value, the same size: what a corrected file of the competition looks like."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


FILES = [(sensor.name, product) for sensor in (FGS1, AIRS) for product in ("signal", *CALIBRATION_PRODUCTS)]


@pytest.fixture(scope="module")
def built(make_competition, tmp_path_factory):
    """A data folder and the store that was filled from it, once."""
    data, root = make_competition(planets=PLANETS, fresh=True), tmp_path_factory.mktemp("store")
    report = build_light_curves(data, root, workers=1)
    assert len(report.done) == 3
    return data, report.store


@pytest.mark.parametrize("sensor, product", FILES)
def test_each_of_the_twelve_files_counts(built, sensor, product):
    """Guards against a corrected calibration file, or signal, of the same size whose planet keeps its old
    light curve."""
    data, store = built
    files, other = find_visits(data, "train")[1], find_visits(data, "train")[0]
    instrument = {s.name: s for s in (FGS1, AIRS)}[sensor]
    path = files.signal(instrument) if product == "signal" else files.calibration(instrument, product)
    content, size = path.read_bytes(), path.stat().st_size
    try:
        _change_a_byte(path, 0.4)
        assert path.stat().st_size == size
        name = path.relative_to(files.folder).as_posix()
        assert store.is_current(files, read_shared_tables(data)) == (False, f"stale ({name} has changed)")
        assert store.is_current(other, read_shared_tables(data)) == (True, "")
    finally:
        path.write_bytes(content)  # with a new time stamp: not a change
    assert store.is_current(files, read_shared_tables(data)) == (True, "")


def test_the_shared_tables_count(built, tmp_path):
    """Guards against light curves in the units of another ADC, or at the times of another axis_info."""
    import dataclasses

    import pandas as pd

    data, store = built
    files = find_visits(data, "train")[0]
    tables = read_shared_tables(data)
    axis = dataclasses.replace(tables.axis, airs_time_h=tables.axis.airs_time_h + 1e-4)
    adc = dataclasses.replace(tables.adc, airs_gain=tables.adc.airs_gain * 1.01)
    of_others = dataclasses.replace(tables.adc, by_planet={4711: adc})
    assert store.is_current(files, dataclasses.replace(tables, adc=of_others)) == (True, "")
    for changed, name in (
        (dataclasses.replace(tables, axis=axis), "axis_info"),
        (dataclasses.replace(tables, adc=adc), "adc_info"),
        (dataclasses.replace(tables, wavelength_um=tables.wavelength_um + 1e-6), "wavelengths"),
    ):
        assert store.is_current(files, changed) == (False, f"stale ({name} has changed)")
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    pd.read_csv(copy / "adc_info.csv").assign(**{"AIRS-CH0_adc_gain": 0.44}).to_csv(
        copy / "adc_info.csv", index=False
    )
    report = build_light_curves(copy, tmp_path / "store", workers=1, planets=[11])
    shutil.copytree(store.folder, tmp_path / "old" / store.settings_digest)
    again = build_light_curves(copy, tmp_path / "old", workers=1, planets=[11])
    assert again.done == [(11, 0)] and not again.reused
    np.testing.assert_array_equal(again.store.load(11, 0).flux, report.store.load(11, 0).flux)


def test_a_copy_is_current_and_so_is_a_store_without_the_raw_data(built, tmp_path):
    """Guards against a store made again for nothing: after a copy, or in a kernel that has the store and not
    the frames."""
    data, store = built
    copy = tmp_path / "elsewhere"
    shutil.copytree(data, copy, copy_function=shutil.copyfile)
    visits, tables = find_visits(copy, "train"), read_shared_tables(copy)
    assert set(store.check(visits, tables).values()) == {(True, "")}
    for planet in copy.glob("train/*"):
        shutil.rmtree(planet)
        planet.mkdir()
    assert set(store.check(visits, tables).values()) == {(True, "")}
    assert store.check(find_visits(copy, "train"), None)


def test_files_of_an_earlier_version_and_of_other_settings_are_stale(built, tmp_path):
    """Guards against a crash, or a light curve of unknown origin, where a store is older than the kit."""
    data, store = built
    files, tables = find_visits(data, "train")[0], read_shared_tables(data)
    other = LightCurveStore(tmp_path, store.settings_digest)
    curve = store.load(11, 0)
    curve.save(other.path(11, 0), extra={"source": "1a2b3c4d", "settings": store.settings_digest})
    assert other.is_current(files, tables) == (False, "stale (it was made by an earlier version of the kit)")
    curve.save(
        other.path(11, 0), extra={"source": source_fingerprints(files, tables), "settings": "0123456789ab"}
    )
    assert other.is_current(files, tables) == (False, "stale (it was made with other settings)")
    other.save(curve)
    assert other.is_current(files, tables) == (True, ""), "one that somebody made himself stays"


def test_a_stale_light_curve_does_not_outlive_a_failure(make_competition, tmp_path):
    """Guards against the old light curve standing for a visit whose corrected files cannot be read."""
    data = make_competition(planets=(11,), fresh=True)
    store = build_light_curves(data, tmp_path, workers=1).store
    for instrument in (AIRS, FGS1):
        find_visits(data, "train")[0].signal(instrument).write_bytes(b"PAR1")
    report = build_light_curves(data, tmp_path, workers=1)
    assert len(report.failed) == 1 and not store.has(11, 0)


def breakages(kit, visits):
    """One defect per visit, and what its flag must say."""
    import pyarrow.parquet as pq

    def truncate(v):
        path = v.signal(AIRS)
        path.write_bytes(path.read_bytes()[:100_000])
        return "AIRS-CH0 missing: ", "cannot be decoded"

    def missing_calibration(v):
        v.calibration(FGS1, "flat").unlink()
        return "FGS1 missing: ", "a calibration file is missing"

    def wrong_columns(v):
        kit.parquet(pq.read_table(v.signal(FGS1)).to_pandas().to_numpy()[:, :1000], v.signal(FGS1))
        return "FGS1 missing: ", "1000"

    def nan_flat(v):
        kit.parquet(np.full((32, 356), np.nan), v.calibration(AIRS, "flat"))
        return "AIRS-CH0 missing: ", "NaN"

    def no_frames(v):
        kit.parquet(np.empty((0, 1024), np.uint16), v.signal(FGS1))
        return "FGS1 missing: ", "0 rows"

    def one_sensor(v):
        v.signal(FGS1).unlink()
        return "FGS1 missing: ", "no such file"

    defects = (truncate, missing_calibration, wrong_columns, nan_flat, no_frames, one_sensor)
    return {v.planet_id: defect(v) for v, defect in zip(visits, defects, strict=False)}


def test_one_broken_sensor_leaves_the_other(make_competition, kit, tmp_path):
    """Guards against a defect of one sensor that costs the planet, or that nothing tells of."""
    planets = (1, 2, 3, 4, 5, 6, 7)
    data = make_competition(planets=planets, fresh=True)
    expected = breakages(kit, find_visits(data, "train"))
    report = build_light_curves(data, tmp_path, workers=1)
    assert report.done == [(p, 0) for p in planets] and not report.failed
    for planet, (start, text) in expected.items():
        curve = report.store.load(planet, 0)
        (flag,) = (f for f in curve.flags if " missing: " in f)
        assert flag.startswith(start) and text in flag
        lost, other = (curve.airs, curve.fgs1) if start.startswith("AIRS") else (curve.fgs1, curve.airs)
        assert np.isnan(lost).all() and np.isfinite(other).all()


def test_visits_without_a_usable_sensor_are_reported_and_the_rest_goes_on(make_competition, tmp_path):
    """Guards against one broken planet costing the run, and against a message that does not say what to
    do."""
    data = make_competition(planets=PLANETS, fresh=True)
    first, second = find_visits(data, "train")[:2]
    for instrument in (AIRS, FGS1):
        first.signal(instrument).write_bytes(b"PAR1")
        second.calibration(instrument, "dark").unlink()
    report = build_light_curves(data, tmp_path, workers=1)
    assert report.done == [(13, 0)] and [f.planet_id for f in report.failed] == [11, 12]
    for failure, texts in zip(
        report.failed, (("cannot be decoded", "FGS1_signal_0"), ("dark.parquet", "no such file")), strict=True
    ):
        assert (
            all(text in failure.error for text in texts)
            and "FGS1: " in failure.error
            and "AIRS-CH0: " in failure.error
        )
        assert str(failure.planet_id) in failure.error and "what to do" in failure.error


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


def test_shards_share_the_planets_out(make_competition, tmp_path):
    """Guards against a planet in two shards, in none, or torn between them."""
    visits = find_visits(make_competition(planets=PLANETS), "train")
    parts = [select_shard(visits, f"{i}/2") for i in (1, 2)]
    assert sorted(v.planet_id for part in parts for v in part) == list(PLANETS)
    assert select_shard(visits, None) == visits and select_shard(visits, (3, 3))[0].planet_id == 13
    for wrong in ("0/2", "3/2", "a/b", "1"):
        with pytest.raises(DataError, match="not a shard"):
            select_shard(visits, wrong)


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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_sigkill_in_the_middle_then_restart(make_competition, tmp_path):
    """Guards the restart: nothing finished is computed again, nothing half-written is read."""
    planets = tuple(range(20, 29))
    data = make_competition(planets=planets)
    code = (
        "from spectramind_kit.detector import build_light_curves; import sys; "
        "build_light_curves(sys.argv[1], sys.argv[2], workers=1)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(data), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
    )
    store = LightCurveStore(tmp_path)
    deadline = time.monotonic() + 60
    while len(store.visits()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = store.visits()
    assert 2 <= len(finished) < len(planets), "killed too late to mean anything"
    (store.folder / ".99_0.npz.1.part").write_bytes(b"half")  # what a kill between write and rename leaves
    stamps = {v: store.path(*v).stat().st_mtime_ns for v in finished}
    report = build_light_curves(data, tmp_path, workers=1)
    assert report.reused == finished and len(report.done) == len(planets) - len(finished)
    assert all(store.path(*v).stat().st_mtime_ns == stamps[v] for v in finished)
    assert len(store.visits()) == len(planets) and all(
        store.load(*v).flux.shape[1] == 283 for v in store.visits()
    )


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
