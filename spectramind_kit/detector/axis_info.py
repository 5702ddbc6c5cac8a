"""axis_info.parquet: when each frame was taken, and which wavelength each column of AIRS-CH0 sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.file_errors import COPY_AGAIN, odd_table, require_table
from spectramind_kit.detector.instrument import (
    AIRS,
    AIRS_INTEGRATION_COLUMN,
    AIRS_WAVELENGTH_COLUMN,
    FGS1,
    Instrument,
)
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.runtime import say_once

_COLUMNS = (AIRS.time_column, FGS1.time_column, AIRS_WAVELENGTH_COLUMN, AIRS_INTEGRATION_COLUMN)
_SHORTEST_H, _LONGEST_H = 0.5, 60.0  # days, minutes and seconds of a visit of hours lie outside
_MOST_HOLES = 0.01  # of a column


@dataclass(frozen=True)
class AxisInfo:
    """The table without its NaN padding."""

    airs_time_h: np.ndarray  # (frames,) hours
    fgs1_time_h: np.ndarray  # (frames,) hours
    airs_wavelength_um: np.ndarray  # (356,) of the detector's columns
    airs_integration_time_s: np.ndarray  # (frames,)

    def time_h(self, instrument: Instrument) -> np.ndarray:
        return self.airs_time_h if instrument.name == AIRS.name else self.fgs1_time_h


def read_axis_info(data_dir: str | Path, *, tell: Tell = say_once) -> AxisInfo:
    """Time stamp of every frame, the wavelength of every AIRS column, the AIRS integration times.

    Columns are padded with NaN to the longest: the padding is removed here. A stamp that is missing inside a
    column is taken from the reads of the same kind before and after it.

    Raises
    ------
    DataError
        No such file, a damaged one, columns missing or not numeric, stamps not in order or not in hours.
    """
    path = Path(data_dir) / "axis_info.parquet"
    columns = _read_columns(path)
    info = AxisInfo(*(_without_holes(columns[name], f"{path}, {name}", name, tell) for name in _COLUMNS))
    if len(info.airs_wavelength_um) != AIRS.columns:
        raise odd_table(
            "wrong number of AIRS wavelengths",
            where=f"{path}, {AIRS_WAVELENGTH_COLUMN}",
            expected=str(AIRS.columns),
            found=str(len(info.airs_wavelength_um)),
        )
    for instrument in (AIRS, FGS1):
        _check_times(info.time_h(instrument), where=f"{path}, {instrument.time_column}")
    return info


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    """Every column that is needed as float64, NaN behind its last value."""
    import pyarrow.parquet as pq

    require_table(path)
    try:
        table = pq.read_table(path)
    except Exception as error:  # pyarrow raises several unrelated classes for a broken file
        raise DataError(
            "the file cannot be read",
            where=str(path),
            found=in_words(error),
            expected="a Parquet file",
            fix=COPY_AGAIN,
        ) from error
    if any(name not in table.column_names for name in _COLUMNS):
        expected, found = ", ".join(_COLUMNS), ", ".join(table.column_names)
        raise odd_table("columns are missing", where=str(path), expected=expected, found=found)
    columns = {}
    for name in _COLUMNS:
        try:
            columns[name] = table.column(name).to_pandas().to_numpy(dtype=np.float64, copy=True)
        except (ValueError, TypeError) as error:
            given = {"where": f"{path}, {name}", "expected": "numbers", "found": str(error)}
            raise odd_table("a column is not numeric", **given) from error
    return columns


def _check_times(time_h: np.ndarray, *, where: str) -> None:
    steps_back = int((~(np.diff(time_h) > 0)).sum())
    if steps_back:
        raise odd_table(
            "time stamps do not ascend",
            where=where,
            expected="one later stamp per frame",
            found=f"{steps_back} steps back or repeated",
        )
    span = float(np.ptp(time_h)) if len(time_h) else 0.0
    if not _SHORTEST_H <= span <= _LONGEST_H:
        raise DataError(
            "time stamps are not in hours",
            where=where,
            expected=f"a visit of {_SHORTEST_H:g} … {_LONGEST_H:g} h; the competition's last 7.5 h",
            found=f"{span:g}",
            fix="divide seconds by 3600, or multiply days by 24",
        )


def _without_holes(values: np.ndarray, where: str, name: str, tell: Tell) -> np.ndarray:
    """A column without its padding, and with numbers in its few holes."""
    finite = np.flatnonzero(np.isfinite(values))
    values = values[: finite[-1] + 1] if len(finite) else values[:0]
    holes = np.flatnonzero(~np.isfinite(values))
    if not len(holes):
        return values
    for parity in (0, 1):  # reads alternate: just after reset, end of the ramp
        own = values[parity::2]
        good = np.isfinite(own)
        if good.sum() > 1:
            own[~good] = np.interp(np.flatnonzero(~good), np.flatnonzero(good), own[good])
    if not np.isfinite(values).all() or len(holes) > _MOST_HOLES * len(values):
        raise DataError(
            "numbers are missing inside a column",
            where=where,
            expected="NaN only behind the last frame",
            found=f"{len(holes)} of {len(values)}",
            fix=COPY_AGAIN,
        )
    beside = "filled from the frames of the same kind beside them"
    tell(f"axis_info.parquet: {name} has {len(holes)} holes; {beside}")
    return values
