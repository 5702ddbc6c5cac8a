"""The five calibration products of one sensor and visit, checked against limits that real products keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.detector.file_errors import COPY_AGAIN, require_file
from spectramind_kit.detector.instrument import CALIBRATION_PRODUCTS, N_LINEARITY_COEFFICIENTS, Instrument
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.numbered_columns import numbered_columns
from spectramind_kit.detector.parquet_reader import read_with
from spectramind_kit.errors import DataError
from spectramind_kit.robust import mad_sigma

# Outside these a pixel cannot be corrected and is treated as dead. Real live pixels: flat 0.57 … 1.11, first
# linearity coefficient 0.96 … 1.02; dead ones have a flat near 0.
_FLAT_LIMITS = (0.2, 5.0)
_LINEAR_TERM_LIMITS = (0.2, 5.0)
_WORST_LOSS = 0.5  # of the pixels: a product that would kill more is broken, not the detector


@dataclass(frozen=True)
class CalibrationSet:
    """Calibration products of one sensor."""

    instrument: Instrument
    dark: np.ndarray  # (rows, columns) e⁻/s
    dead: np.ndarray  # (rows, columns) bool
    flat: np.ndarray  # (rows, columns) relative response
    linear_corr: np.ndarray  # (6, rows, columns) polynomial coefficients, increasing order
    read: np.ndarray  # (rows, columns) σ of one read, e⁻
    unusable: np.ndarray  # (rows, columns) bool: dead, or a product outside the limits of a working pixel


def read_calibration(files: VisitFiles, instrument: Instrument) -> CalibrationSet:
    """Read and check the five products of a visit.

    Raises
    ------
    DataError
        A missing or damaged file, a wrong shape, or a product without usable values (an all-NaN flat).
    """
    paths = {product: files.calibration(instrument, product) for product in CALIBRATION_PRODUCTS}
    rows, columns = instrument.shape
    heights = {"linear_corr": rows * N_LINEARITY_COEFFICIENTS}
    maps = {name: _read_map(paths[name], (heights.get(name, rows), columns)) for name in CALIBRATION_PRODUCTS}
    linear = maps["linear_corr"].reshape(N_LINEARITY_COEFFICIENTS, rows, columns)
    dead = ~np.isfinite(maps["dead"]) | (maps["dead"] != 0)
    invalid = {
        "dark": ~np.isfinite(maps["dark"]),
        "flat": ~_within(maps["flat"], _FLAT_LIMITS),
        "linear_corr": ~(np.isfinite(linear).all(axis=0) & _within(linear[1], _LINEAR_TERM_LIMITS)),
        "read": ~np.isfinite(maps["read"]) | (maps["read"] < 0),
        "dead": dead,
    }
    for name, mask in invalid.items():
        if mask.mean() > _WORST_LOSS:
            what = "dead" if name == "dead" else "NaN or out of range"
            raise DataError(
                f"the calibration product '{name}' is unusable",
                where=str(paths[name]),
                expected="values of working pixels on most of the detector",
                found=f"{mask.mean():.0%} of the pixels {what}",
                fix="copy the calibration folder again, or leave the planet out",
            )
    identity = np.zeros_like(linear)
    identity[1] = 1.0
    return CalibrationSet(
        instrument,
        dark=np.where(invalid["dark"], 0.0, maps["dark"]),
        dead=dead,
        flat=np.where(invalid["flat"], 1.0, maps["flat"]),
        linear_corr=np.where(invalid["linear_corr"], identity, linear),
        read=np.where(invalid["read"], np.nanmedian(maps["read"]), maps["read"]),
        unusable=np.logical_or.reduce(list(invalid.values())),
    )


def find_hot_pixels(dark: np.ndarray, *, clip_sigma: float = 5.0) -> np.ndarray:
    """Pixels whose dark current is ``clip_sigma`` robust σ above the detector's median.

    Instead of an iterated clip: the same pixels on real maps, and no start value to converge from.
    """
    median = np.median(dark)
    sigma = mad_sigma(dark, centre=median)
    return dark > median + clip_sigma * sigma if sigma > 0 else np.zeros(dark.shape, bool)


def _within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (values > limits[0]) & (values < limits[1])


def _read_map(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """One product as float64, without index columns that a writer may have added."""
    require_file(path, "a calibration file is missing", expected=f"a map of {shape[0]} × {shape[1]}")

    def read(reader: str) -> np.ndarray:
        table = _read_columns(path, reader)
        names = numbered_columns(list(table), shape[1]) or list(table)
        return np.stack([np.asarray(table[n], dtype=np.float64) for n in names], axis=1)

    what, expected = "a calibration file cannot be decoded", "a Parquet file of numbers"
    values = read_with(read, path, reader="auto", what=what, expected=expected, fix=COPY_AGAIN)
    if values.shape != shape:
        expected, found = (f"{a} × {b}" for a, b in (shape, values.shape))
        what = "a calibration map has the wrong shape"
        raise DataError(what, where=str(path), expected=expected, found=found, fix=COPY_AGAIN)
    return values


def _read_columns(path: Path, reader: str) -> dict[str, np.ndarray]:
    """polars opens a file of 356 columns in a third of pyarrow's time, and a visit has ten files."""
    if reader == "polars":
        import polars as pl

        return {series.name: series.to_numpy() for series in pl.read_parquet(path)}
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
    return {name: table.column(name).to_numpy() for name in table.column_names}
