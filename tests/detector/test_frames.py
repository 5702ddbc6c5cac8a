"""Reading raw frames."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.frames import all_pixels, read_frames, select_pixels
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError

READERS = ("polars", "pyarrow")


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (37, 1024))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("dtype", "compression", "row_groups"),
    [
        ("uint16", "zstd", None),
        ("uint16", "snappy", 5),
        ("int32", "none", 7),
        ("int64", "gzip", None),
        ("uint8", "lz4", 36),
    ],
)
def test_both_readers_give_the_integers_of_the_file(
    tmp_path, kit, counts, reader, dtype, compression, row_groups
):
    """Guards against a reader that permutes pixels, drops row groups or changes integers."""
    if reader == "polars":
        pytest.importorskip("polars")
    values = counts.astype(dtype)
    kit.parquet(values, tmp_path / "f.parquet", compression=compression, row_group_size=row_groups)
    selection = select_pixels(FGS1, DetectorSettings())
    frames = read_frames(tmp_path / "f.parquet", selection, reader=reader)
    assert frames.dtype == np.dtype(dtype) and frames.flags.c_contiguous
    np.testing.assert_array_equal(frames, values[:, selection.flat_index])
    whole = read_frames(tmp_path / "f.parquet", all_pixels(FGS1), reader=reader)
    np.testing.assert_array_equal(whole, values)


@pytest.mark.parametrize("reader", READERS)
def test_index_column_and_shuffled_columns_do_not_move_pixels(tmp_path, kit, counts, reader):
    """Guards against taking columns by position where a writer added an index or another order."""
    if reader == "polars":
        pytest.importorskip("polars")
    values = counts.astype("uint16")
    order = np.random.default_rng(1).permutation(1024)
    table = pa.table({"__index_level_0__": np.arange(37), **{f"column_{i}": values[:, i] for i in order}})
    pq.write_table(table, tmp_path / "f.parquet")
    np.testing.assert_array_equal(
        read_frames(tmp_path / "f.parquet", all_pixels(FGS1), reader=reader), values
    )


@pytest.mark.parametrize("name", [str, "pixel_{:05d}".format, lambda i: str(i + 1)])
def test_columns_stand_in_the_order_of_their_numbers(tmp_path, counts, name):
    """Guards against a tool that sorts names as texts (10 before 2): pixels changed places, silently."""
    values, path = counts.astype("uint16"), tmp_path / "f.parquet"
    table = {name(i): values[:, i] for i in range(1024)}
    pq.write_table(pa.table({key: table[key] for key in sorted(table)} | {"frame": np.arange(37)}), path)
    np.testing.assert_array_equal(read_frames(path, all_pixels(FGS1)), values)


@pytest.mark.parametrize("reader", READERS)
def test_unsigned_counts_in_a_signed_type(tmp_path, kit, counts, reader):
    """Guards against a tool without unsigned numbers: 40,000 comes back as -25,536."""
    if reader == "polars":
        pytest.importorskip("polars")
    values = counts.astype("uint16")
    kit.parquet(values.view("int16"), tmp_path / "f.parquet")
    frames = read_frames(tmp_path / "f.parquet", all_pixels(FGS1), reader=reader)
    assert frames.dtype == np.uint16
    np.testing.assert_array_equal(frames, values)


@pytest.mark.parametrize("reader", READERS)
def test_broken_signals_say_what_is_wrong(tmp_path, kit, counts, reader):
    """Guards against tracebacks of a Parquet library where a reader needs file, expected and found."""
    if reader == "polars":
        pytest.importorskip("polars")
    pixels, path = all_pixels(FGS1), tmp_path / "f.parquet"

    def fails(what: str):
        with pytest.raises(DataError, match=what) as caught:
            read_frames(path, pixels, reader=reader)
        assert str(path) in str(caught.value) and caught.value.fix

    fails("missing")
    kit.parquet(counts[:, :1000].astype("uint16"), path)
    fails("wrong number of pixel columns.*1024.*1000")
    kit.parquet(counts[:0].astype("uint16"), path)
    fails("without frames")
    kit.parquet(counts.astype("float64"), path)
    fails("not integers")
    pq.write_table(
        pa.table(
            {
                f"column_{i}": pa.array([1, None, 3] if i == 500 else [1, 2, 3], pa.uint16())
                for i in range(1024)
            }
        ),
        path,
    )
    fails("missing values")
    kit.parquet(counts.astype("uint16"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    fails("cannot be decoded")
    path.write_bytes(whole[:2000] + bytes(2000) + whole[4000:])
    if reader == "pyarrow":
        fails("cannot be decoded")


def test_selection_holds_trace_and_edges():
    """Guards against a selection whose rectangle is not the trace: order and grid must agree."""
    settings = DetectorSettings()
    airs = select_pixels(AIRS, settings)
    assert airs.grid == (16, 282) and len(airs) == 24 * 282
    rows = airs.row.reshape(-1, 282)[:, 0]
    assert rows.tolist() == [*range(8, 24), 0, 1, 2, 3, 28, 29, 30, 31]
    assert airs.column.reshape(-1, 282)[0].tolist() == list(range(39, 321))
    fgs1 = select_pixels(FGS1, settings)
    assert fgs1.grid == (16, 16) and len(fgs1) == 256 + 64
    assert len(set(fgs1.flat_index.tolist())) == len(fgs1)
