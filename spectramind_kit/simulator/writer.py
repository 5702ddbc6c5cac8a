"""The official layout on disk: parquet as the hosts write it, tables, axes, folders whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from spectramind_kit.detector.instrument import (
    AIRS_INTEGRATION_COLUMN,
    AIRS_WAVELENGTH_COLUMN,
    CALIBRATION_PRODUCTS,
    N_BINS,
    Instrument,
)
from spectramind_kit.detector.star_info import STAR_COLUMNS
from spectramind_kit.simulator.cadence import axis_times_h
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths, bin_wavelengths
from spectramind_kit.whole_file import whole_file

SPECTRUM_COLUMNS, SIGMA_COLUMNS = ([f"{name}_{k}" for k in range(1, N_BINS + 1)] for name in ("wl", "sigma"))


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    """(rows, columns) → parquet as the real files: ``column_0 …``, ZSTD, one row group, no dictionaries."""
    columns = np.ascontiguousarray(matrix.T)
    names = [f"column_{k}" for k in range(len(columns))]
    table = pa.Table.from_arrays([pa.array(column) for column in columns], names=names)
    whole = {"use_dictionary": False, "write_statistics": False, "row_group_size": max(1, len(matrix))}
    pq.write_table(table, path, compression="zstd", compression_level=1, **whole)


def write_signal(folder: Path, instrument: Instrument, visit: int, frames: np.ndarray) -> None:
    """Raw frames (frames, rows·columns) uint16 of one sensor and visit."""
    write_matrix(folder / instrument.signal_file(visit), frames)


def write_calibration(
    folder: Path, instrument: Instrument, visit: int, products: dict[str, np.ndarray]
) -> None:
    """The five calibration files of one sensor and visit."""
    target = folder / instrument.calibration_folder(visit)
    target.mkdir(parents=True, exist_ok=True)
    for product in CALIBRATION_PRODUCTS:
        write_matrix(target / f"{product}.parquet", products[product])


def write_axes(data_dir: Path, settings: Settings) -> None:
    """wavelengths.csv, axis_info.parquet (NaN padded to the longest axis), adc_info.csv."""
    write_csv(pd.DataFrame([bin_wavelengths()], columns=SPECTRUM_COLUMNS), data_dir / "wavelengths.csv")
    airs = axis_times_h(AIRS, settings.cadence)
    axes = {
        AIRS.time_column: airs,
        AIRS_WAVELENGTH_COLUMN: airs_column_wavelengths(),
        AIRS_INTEGRATION_COLUMN: np.tile([AIRS.first_s, AIRS.exposure_s], len(airs) // 2),
        FGS1.time_column: axis_times_h(FGS1, settings.cadence),
    }
    padded = pd.concat([pd.Series(values, name=name) for name, values in axes.items()], axis=1)
    with whole_file(data_dir / "axis_info.parquet") as part:
        padded.to_parquet(part, compression="zstd", index=False)
    adc = {"offset": settings.adc_offset, "gain": settings.adc_gain}
    row = {f"{sensor.name}_adc_{what}": value for sensor in (FGS1, AIRS) for what, value in adc.items()}
    write_csv(pd.DataFrame([row]), data_dir / "adc_info.csv")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """A table without its index, whole or not at all."""
    with whole_file(path) as part:
        frame.to_csv(part, index=False)


def spectra_table(planet_ids: list[int], spectra: np.ndarray) -> pd.DataFrame:
    """planet_id, wl_1 … wl_283, sorted by planet."""
    frame = pd.DataFrame(np.asarray(spectra).reshape(len(planet_ids), N_BINS), columns=SPECTRUM_COLUMNS)
    frame.insert(0, "planet_id", np.array(planet_ids, np.int64))
    return frame.sort_values("planet_id", ignore_index=True)


def star_table(rows: list[dict], *, float_ids: bool) -> pd.DataFrame:
    """Star and orbit catalogue; the hosts write the test table's planet_id as float text."""
    frame = pd.DataFrame(rows, columns=["planet_id", *STAR_COLUMNS])
    frame = frame.sort_values("planet_id", ignore_index=True)
    return frame.astype({"planet_id": float}) if float_ids else frame


def sample_submission(planet_ids: list[int]) -> pd.DataFrame:
    """567 columns; only the first planet has a row, as in the hosts' file: rows come from the test folder."""
    values = np.tile(np.repeat([0.0147, 0.0107], N_BINS), (min(1, len(planet_ids)), 1))
    frame = pd.DataFrame(values, columns=SPECTRUM_COLUMNS + SIGMA_COLUMNS)
    frame.insert(0, "planet_id", np.array(sorted(planet_ids)[:1], np.int64))
    return frame


@contextmanager
def whole_folder(target: Path, scratch_root: Path) -> Iterator[Path]:
    """A scratch folder that becomes ``target`` when the block ends well: whole or not at all."""
    scratch = scratch_root / f"{target.parent.name}-{target.name}-{os.getpid()}"  # one planet, one worker
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(scratch, target)
        except OSError:
            if not target.is_dir():  # else another process was faster with the same planet
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_stale_scratch(scratch_root: Path) -> None:
    """Delete what processes that are gone have left half written."""
    for folder in scratch_root.glob("*-*-*"):
        try:
            os.kill(int(folder.name.rsplit("-", 1)[1]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # alive, and somebody else's
