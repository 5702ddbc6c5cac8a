from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.detector.layout import find_visits, read_axis_info, read_wavelengths
from spectramind_kit.simulator.writer import remove_stale_scratch, whole_folder, write_matrix


def test_layout_is_the_official_one(small):
    """Guards against a folder that the kit reads and the real recipe would not: names, shapes, types, one
    ZSTD row group."""
    import pyarrow.parquet as pq

    data = small.data_dir
    assert data.name == "ariel-data-challenge-2025"
    for name in (
        "train.csv",
        "wavelengths.csv",
        "axis_info.parquet",
        "adc_info.csv",
        "train_star_info.csv",
        "test_star_info.csv",
        "sample_submission.csv",
    ):
        assert (data / name).is_file(), name
    counts = {"AIRS-CH0": (376, 32 * 356), "FGS1": (4512, 32 * 32)}
    visits = find_visits(data, "train") + find_visits(data, "test")
    assert len({v.planet_id for v in visits}) == 5 and any(v.visit == 1 for v in visits)
    for files in visits:
        files.check()
    for sensor, (frames, pixels) in counts.items():
        path = visits[0].folder / f"{sensor}_signal_0.parquet"
        meta, schema = pq.ParquetFile(path).metadata, pq.read_schema(path)
        assert (meta.num_rows, meta.num_columns, meta.num_row_groups) == (frames, pixels, 1)
        assert (
            meta.row_group(0).column(0).compression == "ZSTD"
            and str(schema.field("column_0").type) == "uint16"
        )
        dtypes = {
            "dark": "double",
            "dead": "bool",
            "flat": "double",
            "linear_corr": "double",
            "read": "double",
        }
        for product, kind in dtypes.items():
            table = pq.read_table(visits[0].folder / f"{sensor}_calibration_0" / f"{product}.parquet")
            assert (
                table.num_rows == (192 if product == "linear_corr" else 32)
                and str(table.schema.types[0]) == kind
            )


def test_axes_agree_with_the_frames(small):
    """Guards against axis_info of another cadence than the frames'."""
    axis = read_axis_info(small.data_dir)
    assert (
        len(axis.airs_time_h) == 376 and len(axis.fgs1_time_h) == 4512 and len(axis.airs_wavelength_um) == 356
    )
    assert np.array_equal(axis.airs_wavelength_um[39:321][::-1], read_wavelengths(small.data_dir)[1:])


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    """Guards against half a planet after an error, and against scratch folders that stay behind."""
    target, scratch = tmp_path / "train" / "12", tmp_path / ".partial"
    with pytest.raises(OSError, match="disk full"), whole_folder(target, scratch) as folder:
        (folder / "a").write_text("1")
        raise OSError("disk full")
    assert not target.exists() and not list(scratch.iterdir())
    with whole_folder(target, scratch) as folder:
        (folder / "a").write_text("1")
    assert (target / "a").read_text() == "1" and not list(scratch.iterdir())


def test_a_faster_process_keeps_its_planet(tmp_path):
    """Guards against an error, or a mixture, where two processes make the same planet."""
    target = tmp_path / "train" / "12"
    with whole_folder(target, tmp_path / ".partial") as folder:
        (folder / "a").write_text("slow")
        target.mkdir(parents=True)
        (target / "a").write_text("fast")
    assert (target / "a").read_text() == "fast"


def test_scratch_of_a_dead_process_is_removed(tmp_path):
    """Guards against scratch folders that fill the disk, and against deleting those of a live process."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive = tmp_path / f"train-1-{gone.pid}", tmp_path / f"train-2-{os.getpid()}"
    dead.mkdir()
    alive.mkdir()
    remove_stale_scratch(tmp_path)
    assert not dead.exists() and alive.exists()


def test_matrices_come_back_as_they_were(tmp_path):
    """Guards against a transposed file, or another type of number."""
    matrix = np.arange(12, dtype=np.uint16).reshape(3, 4)
    write_matrix(tmp_path / "m.parquet", matrix)
    read = pd.read_parquet(tmp_path / "m.parquet")
    assert list(read.columns) == [f"column_{k}" for k in range(4)]
    assert np.array_equal(read.to_numpy(), matrix) and read.dtypes.iloc[0] == np.uint16
