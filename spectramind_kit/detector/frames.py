"""Read raw frames: only the pixels that are used, as integers, by the fastest Parquet reader present."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.detector.file_errors import COPY_AGAIN, require_file
from spectramind_kit.detector.instrument import FGS1, Instrument
from spectramind_kit.detector.numbered_columns import numbered_columns
from spectramind_kit.detector.parquet_reader import read_with
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError

_COLUMNS_AT_A_TIME, _ROWS_AT_A_TIME = 64, 4096  # tiles of half a megabyte are transposed in the cache


@dataclass(frozen=True)
class PixelSelection:
    """Pixels in the order in which they are read: a rectangle, then the rest, for the foreground."""

    instrument: Instrument
    row: np.ndarray  # (P,) of the detector
    column: np.ndarray  # (P,)
    grid: tuple[int, int]  # rows and columns of the rectangle

    def __len__(self) -> int:
        return len(self.row)

    @property
    def n_grid(self) -> int:
        """Pixels in the rectangle."""
        return self.grid[0] * self.grid[1]

    @property
    def flat_index(self) -> np.ndarray:
        """Position of each pixel in a frame stored in C order."""
        return self.row * self.instrument.columns + self.column

    def take(self, image: np.ndarray) -> np.ndarray:
        """Values of the pixels, shape (…, P), from images of shape (…, rows, columns)."""
        return image[..., self.row, self.column]


def select_pixels(instrument: Instrument, settings: DetectorSettings) -> PixelSelection:
    """The pixels that the light curve needs.

    AIRS-CH0: the trace rows times the columns of the cut, a grid (16, 282); then the edge rows. FGS1: the PSF
    window, a grid (16, 16); then the four corner squares.
    """
    if instrument.name == FGS1.name:
        window = np.arange(*settings.fgs1_window)
        corner = np.r_[0 : settings.fgs1_corner, instrument.rows - settings.fgs1_corner : instrument.rows]
        rows = np.r_[np.repeat(window, len(window)), np.repeat(corner, len(corner))]
        columns = np.r_[np.tile(window, len(window)), np.tile(corner, len(corner))]
        return PixelSelection(instrument, rows, columns, (len(window), len(window)))
    edge = settings.airs_edge_rows
    trace = np.arange(*settings.airs_rows)
    rows = np.r_[trace, 0:edge, instrument.rows - edge : instrument.rows]
    columns = np.arange(instrument.cut.start, instrument.cut.stop)
    grid = len(trace), len(columns)
    return PixelSelection(instrument, np.repeat(rows, len(columns)), np.tile(columns, len(rows)), grid)


def all_pixels(instrument: Instrument) -> PixelSelection:
    """The whole detector, in C order."""
    rows, columns = np.divmod(np.arange(instrument.n_pixels), instrument.columns)
    return PixelSelection(instrument, rows, columns, instrument.shape)


def read_frames(path: str | Path, pixels: PixelSelection, *, reader: str = "auto") -> np.ndarray:
    """Raw frames of the selected pixels.

    Parameters
    ----------
    path : file with one column per pixel (C order) and one row per frame, any row groups and compression.
    pixels : which of them, and in which order.
    reader : ``auto``, ``polars`` or ``pyarrow``.

    Returns
    -------
    (N, P) array of the file's integer type, C contiguous. A frame is ``[i]``.

    Raises
    ------
    DataError
        No such file, damaged file, wrong number of columns, no frames, columns that are not integers, missing
        values; or the reader that was asked for does not work.
    """
    path = Path(path)
    require_file(path, "a signal file is missing", expected="raw frames")

    def read(name: str) -> np.ndarray:
        names = _pixel_columns(_column_names(path, name), pixels.instrument, path)
        wanted = [names[i] for i in pixels.flat_index]
        return _read_polars(path, wanted) if name == "polars" else _read_pyarrow(path, wanted)

    frames = read_with(
        read,
        path,
        reader=reader,
        what="the file cannot be decoded",
        expected="a complete Parquet file",
        fix="the file is truncated or damaged: copy it again",
    )
    # written by a tool without unsigned numbers: the same 16 bits
    return frames.view(np.uint16) if frames.dtype == np.int16 else frames


def _column_names(path: Path, reader: str) -> list[str]:
    """From the footer alone; a footer of 11,392 columns costs pyarrow 0.05 s and polars 0.02 s."""
    if reader == "polars":
        import polars as pl

        return list(pl.read_parquet_schema(path))
    import pyarrow.parquet as pq

    return pq.read_schema(path).names


def _pixel_columns(names: list[str], instrument: Instrument, path: Path) -> list[str]:
    """Names of the pixel columns in C order; index columns that a writer may have added are left out."""
    found = numbered_columns(names, instrument.n_pixels)
    if found is None:
        right = len(names) == instrument.n_pixels
        odd, other = "the pixel columns are not numbered one by one", "wrong number of pixel columns"
        raise DataError(
            odd if right else other,
            where=str(path),
            found=f"{names[0]} … {names[-1]}" if right else str(len(names)),
            expected=f"{instrument.n_pixels} ({instrument.rows} × {instrument.columns}, {instrument.name})",
            fix="the file belongs to another sensor or is incomplete: copy it again",
        )
    return found


def _check(path: Path, *, n_frames: int, odd: object = None, has_null: bool = False) -> None:
    """Raise DataError for a file without frames, with columns of the type ``odd``, or missing values."""
    if n_frames == 0:
        what, expected, found = "a visit without frames", "an even number of frames", "0 rows"
        fix = f"{COPY_AGAIN}, or leave the planet out"
    elif odd is not None:
        what, expected, found = "raw frames are not integers", "uint16 counts", str(odd)
        fix = "use the raw signal files, not calibrated ones"
    elif has_null:
        what, expected, found = "raw frames hold missing values", "a count for every pixel and frame", "null"
        fix = COPY_AGAIN
    else:
        return
    raise DataError(what, where=str(path), expected=expected, found=found, fix=fix)


def _read_polars(path: Path, names: list[str]) -> np.ndarray:
    import polars as pl

    frame = pl.read_parquet(path, columns=names)
    dtypes = set(frame.dtypes)
    odd = next((d for d in dtypes if not d.is_integer()), None)
    has_null = frame.height > 0 and any(s.null_count() for s in frame.iter_columns())
    _check(path, n_frames=frame.height, odd=odd, has_null=has_null)
    series = frame.get_columns()
    dtype = np.result_type(*(pl.Series([], dtype=d).to_numpy().dtype for d in dtypes))
    del frame
    if series[0].name != names[0] or series[-1].name != names[-1]:
        raise ValueError("columns came back in another order")
    out = np.empty((len(series[0]), len(names)), dtype)
    for start in range(0, len(names), _COLUMNS_AT_A_TIME):
        stop = min(start + _COLUMNS_AT_A_TIME, len(names))
        _transpose([series[i].to_numpy() for i in range(start, stop)], out[:, start:stop])
        for i in range(start, stop):
            series[i] = None  # free each column as soon as it is copied
    return out


def _transpose(columns: list[np.ndarray], out: np.ndarray) -> None:
    """Columns side by side into ``out`` (N, len(columns)), tile by tile."""
    for start in range(0, len(out), _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        out[rows] = np.stack([column[rows] for column in columns], axis=1)


def _read_pyarrow(path: Path, names: list[str]) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        rows, schema = file.metadata.num_rows, file.schema_arrow
        types = {schema.field(n).type for n in names}
        _check(path, n_frames=rows, odd=next((t for t in types if not pa.types.is_integer(t)), None))
        dtype = np.result_type(*(t.to_pandas_dtype() for t in types))
        out = np.empty((rows, len(names)), dtype)
        step = 8 * _COLUMNS_AT_A_TIME  # bounds the memory that decoded columns take beside the result
        for start in range(0, len(names), step):
            part = names[start : start + step]
            table = file.read(columns=part, use_threads=False)
            for i in range(0, len(part), _COLUMNS_AT_A_TIME):
                columns = [table.column(n) for n in part[i : i + _COLUMNS_AT_A_TIME]]
                if any(c.null_count for c in columns):
                    _check(path, n_frames=rows, has_null=True)
                _transpose([c.to_numpy() for c in columns], out[:, start + i : start + i + len(columns)])
    return out
