"""The five calibration products of one sensor and visit, checked against limits that real products keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.detector.instrument import CALIBRATION_PRODUCTS, N_LINEARITY_COEFFICIENTS, Instrument
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.numbered_columns import numbered_columns
from spectramind_kit.detector.parquet_reader import read_with
from spectramind_kit.errors import DataError

# Outside these a pixel cannot be corrected and is treated as dead. Real live pixels: flat 0.57 … 1.11, first
# linearity coefficient 0.96 … 1.02; dead ones have a flat near 0.
_FLAT_LIMITS = (0.2, 5.0)
_LINEAR_TERM_LIMITS = (0.2, 5.0)
# a product that would kill more than this share of the detector is broken, not the detector
_WORST_LOSS = 0.5


@dataclass(frozen=True)
class CalibrationSet:
    """Calibration products of one sensor.

    dark (rows, columns) e⁻/s · dead (rows, columns) bool · flat (rows, columns) relative ·
    linear_corr (6, rows, columns) polynomial coefficients, increasing order · read (rows, columns) σ of one
    read, e⁻. ``unusable`` (rows, columns) bool: dead, or with a product outside the limits of a working
    pixel.
    """

    instrument: Instrument
    dark: np.ndarray
    dead: np.ndarray
    flat: np.ndarray
    linear_corr: np.ndarray
    read: np.ndarray
    unusable: np.ndarray


def read_calibration(files: VisitFiles, instrument: Instrument) -> CalibrationSet:
    """Read and check the five products of a visit.

    Raises
    ------
    DataError
        A missing or damaged file, a wrong shape, or a product without usable values (an all-NaN flat).
    """
    paths = {product: files.calibration(instrument, product) for product in CALIBRATION_PRODUCTS}
    return read_calibration_files(paths, instrument)


def read_calibration_files(paths: dict[str, Path], instrument: Instrument) -> CalibrationSet:
    """As `read_calibration`, from a path per product."""
    rows, columns = instrument.shape
    maps = {
        name: _read_map(
            paths[name], (rows * (N_LINEARITY_COEFFICIENTS if name == "linear_corr" else 1), columns)
        )
        for name in CALIBRATION_PRODUCTS
    }
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
            raise DataError(
                f"the calibration product '{name}' is unusable",
                where=str(paths[name]),
                expected="values of working pixels on most of the detector",
                found=f"{mask.mean():.0%} of the pixels "
                + ("dead" if name == "dead" else "NaN or out of range"),
                fix="copy the calibration folder again, or leave the planet out",
            )
    unusable = np.logical_or.reduce(list(invalid.values()))
    return CalibrationSet(
        instrument,
        dark=np.where(invalid["dark"], 0.0, maps["dark"]),
        dead=dead,
        flat=np.where(invalid["flat"], 1.0, maps["flat"]),
        linear_corr=np.where(invalid["linear_corr"], _identity_polynomial(rows, columns), linear),
        read=np.where(invalid["read"], np.nanmedian(maps["read"]), maps["read"]),
        unusable=unusable,
    )


def find_hot_pixels(dark: np.ndarray, *, clip_sigma: float = 5.0) -> np.ndarray:
    """Pixels whose dark current is ``clip_sigma`` robust standard deviations above the detector's median.

    Median and MAD instead of an iterated clip: the same pixels on real maps, and no start value to converge
    from.
    """
    median = np.median(dark)
    sigma = 1.4826 * np.median(np.abs(dark - median))
    return dark > median + clip_sigma * sigma if sigma > 0 else np.zeros(dark.shape, bool)


def _within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (values > limits[0]) & (values < limits[1])


def _identity_polynomial(rows: int, columns: int) -> np.ndarray:
    identity = np.zeros((N_LINEARITY_COEFFICIENTS, rows, columns))
    identity[1] = 1.0
    return identity


def _read_map(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """One product as float64, without index columns that a writer may have added."""
    if not path.is_file():
        raise DataError(
            "a calibration file is missing",
            where=str(path),
            expected=f"a map of {shape[0]} × {shape[1]}",
            found="no such file",
            fix="copy the planet's folder again, or leave the planet out",
        )

    def read(reader: str) -> np.ndarray:
        table = _read_columns(path, reader)
        names = numbered_columns(list(table), shape[1]) or list(table)
        return np.stack([np.asarray(table[n], dtype=np.float64) for n in names], axis=1)

    values = read_with(
        read,
        path,
        reader="auto",
        what="a calibration file cannot be decoded",
        expected="a Parquet file of numbers",
        fix="copy the file again",
    )
    if values.shape != shape:
        raise DataError(
            "a calibration map has the wrong shape",
            where=str(path),
            expected=f"{shape[0]} × {shape[1]}",
            found=f"{values.shape[0]} × {values.shape[1]}",
            fix="copy the file again",
        )
    return values


def _read_columns(path: Path, reader: str) -> dict[str, np.ndarray]:
    """polars opens a file of 356 columns in a third of pyarrow's time, and a visit has ten files."""
    if reader == "polars":
        import polars as pl

        return {series.name: series.to_numpy() for series in pl.read_parquet(path)}
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
    return {name: table.column(name).to_numpy() for name in table.column_names}
