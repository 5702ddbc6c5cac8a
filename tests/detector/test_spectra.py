"""Labels and other spectra: what is no depth is unknown."""

from __future__ import annotations

import pandas as pd
import pytest

from spectramind_kit.detector.spectra import read_labels, read_spectra
from spectramind_kit.errors import DataError


def test_a_doubled_label_does_not_move_the_others(data, edit):
    """Guards against the fault that gave 57 of 60 planets another planet's spectrum."""
    edit(data / "train.csv", lambda t: t.assign(wl_1=[0.01, 0.02, 0.03]))
    true = read_labels(data)
    edit(data / "train.csv", lambda t: t.iloc[[0, 1, 1, 2]])
    found = read_labels(data)
    assert found.index.tolist() == [11, 7, 5]
    pd.testing.assert_frame_equal(found, true)
    edit(data / "train.csv", lambda t: t.assign(wl_1=[0.01, 0.02, 0.04, 0.03]))
    assert read_labels(data)["wl_1"].isna().tolist() == [False, True, False], "two truths are none"


@pytest.mark.parametrize("value", ["-0.01", "0", "1.4", "nan", "--"])
def test_a_label_that_is_no_depth_is_unknown(data, edit, value):
    edit(data / "train.csv", lambda t: t.astype(object).assign(wl_9=[value, 0.02, 0.02]))
    assert read_labels(data)["wl_9"].isna().tolist() == [True, False, False]


def test_labels_in_other_units_are_an_error(data, edit):
    """Guards against training on per cent."""
    edit(data / "train.csv", lambda t: (t * 100).assign(planet_id=t["planet_id"]))
    with pytest.raises(DataError, match="per cent"):
        read_labels(data)
    assert read_spectra(data / "train.csv").iloc[0, 0] == pytest.approx(2.0)
