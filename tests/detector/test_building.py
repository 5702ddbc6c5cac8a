"""The job that fills the store: resumable, parallel, and honest about what failed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.building import build_light_curves, select_shard
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.store import LightCurveStore
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


def test_shards_share_the_planets_out(make_competition, tmp_path):
    """Guards against a planet in two shards, in none, or torn between them."""
    visits = find_visits(make_competition(planets=PLANETS), "train")
    parts = [select_shard(visits, f"{i}/2") for i in (1, 2)]
    assert sorted(v.planet_id for part in parts for v in part) == list(PLANETS)
    assert select_shard(visits, None) == visits and select_shard(visits, "3/3")[0].planet_id == 13
    for wrong in ("0/2", "3/2", "a/b", "1"):
        with pytest.raises(DataError, match="not a shard"):
            select_shard(visits, wrong)


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
