"""Calibration products: read, checked, and limits of a working pixel."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.calibration_set import find_hot_pixels, read_calibration
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.errors import DataError


@pytest.fixture()
def visit(make_competition):
    return find_visits(make_competition(fresh=True), "train")[0]


def rewrite(kit, visit, product, change):
    import pyarrow.parquet as pq

    path = visit.calibration(FGS1, product)
    values = pq.read_table(path).to_pandas().to_numpy()
    kit.parquet(change(values), path)
    return path


def test_shapes_and_orders(visit):
    """Guards the reshaping of linear_corr: (6, rows, columns), increasing order."""
    c = read_calibration(visit, FGS1)
    assert c.linear_corr.shape == (6, 32, 32) and c.dead.dtype == bool
    assert np.median(c.linear_corr[1]) == 1.0 and np.median(c.linear_corr[2]) == 1e-7
    assert c.unusable[c.dead].all()


def test_dead_as_integers_and_index_columns(visit, kit):
    """Guards against other writers: dead as 0/1 and an index column beside the pixels."""
    before = read_calibration(visit, FGS1).dead
    path = rewrite(kit, visit, "dead", lambda v: v.astype("uint8"))
    np.testing.assert_array_equal(read_calibration(visit, FGS1).dead, before)
    kit.parquet(before.astype("float64"), path, index=True)
    np.testing.assert_array_equal(read_calibration(visit, FGS1).dead, before)


def test_columns_sorted_as_texts_beside_a_row_number(visit, kit):
    """Guards against a map whose columns a tool has sorted: 10 before 2."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    before = read_calibration(visit, FGS1).dark
    path = rewrite(kit, visit, "dark", lambda v: v + 1e-3 * np.arange(32))
    table = {str(k): column for k, column in enumerate(pq.read_table(path).columns)}
    pq.write_table(pa.table({"row": np.arange(32), **{name: table[name] for name in sorted(table)}}), path)
    np.testing.assert_allclose(read_calibration(visit, FGS1).dark, before + 1e-3 * np.arange(32))


def test_single_nan_is_a_dead_pixel(visit, kit):
    """Guards against one NaN of a flat spreading into a light curve."""

    def change(v):
        v = v.copy()
        v[3, 4], v[5, 6] = np.nan, -0.04
        return v

    rewrite(kit, visit, "flat", change)
    c = read_calibration(visit, FGS1)
    assert c.unusable[3, 4] and c.unusable[5, 6] and np.isfinite(c.flat).all()


@pytest.mark.parametrize(
    ("product", "change", "message"),
    [
        ("flat", lambda v: np.full_like(v, np.nan), "'flat' is unusable.*NaN"),
        ("dark", lambda v: np.full_like(v, np.nan), "'dark' is unusable"),
        ("dead", lambda v: np.ones_like(v), "'dead' is unusable.*dead"),
        ("read", lambda v: v[:, :30], "wrong shape.*32 × 32.*32 × 30"),
        ("linear_corr", lambda v: v[:160], "wrong shape.*192 × 32.*160 × 32"),
    ],
)
def test_broken_products_say_which_and_why(visit, kit, product, change, message):
    """Guards against a light curve made with a broken product."""
    path = rewrite(kit, visit, product, change)
    with pytest.raises(DataError, match=message) as caught:
        read_calibration(visit, FGS1)
    assert str(path) in str(caught.value) and caught.value.fix


def test_missing_and_truncated(visit):
    """Guards against a traceback where a file is missing or cut off."""
    path = visit.calibration(FGS1, "dark")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be decoded"):
        read_calibration(visit, FGS1)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        read_calibration(visit, FGS1)


def test_hot_pixels_do_not_hide_each_other():
    """Guards against a clip that many hot pixels widen."""
    dark = np.random.default_rng(0).normal(0.006, 0.001, (32, 32))
    dark[:4, :8] = 5.0
    hot = find_hot_pixels(dark)
    assert hot[:4, :8].all() and hot.sum() <= 33
    assert not find_hot_pixels(np.zeros((4, 4))).any()
