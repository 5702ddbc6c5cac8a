"""The star table: what stands, what is unknown, and that it is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.detector.spectra import read_labels
from spectramind_kit.detector.star_info import read_star_info
from spectramind_kit.errors import DataError


def test_a_bad_star_costs_its_planet(data, edit):
    told = []
    edit(
        data / "test_star_info.csv",
        lambda t: t.astype(object).assign(sma=["--", 10.0, 1e9], i=[89.0, 1.55, 89.0]),
    )
    table = read_star_info(data, "test", tell=told.append)
    assert table["sma"].isna().tolist() == [True, False, True] and table["i"].isna().tolist() == [
        False,
        True,
        False,
    ]
    assert (table.dtypes == np.float64).all() and (table["P"] == 4.0).all()
    assert all(words in " ".join(told) for words in ("planet 11 sma '--'", "planet 7 i 1.55", "planet 5 sma"))


@pytest.mark.parametrize("column, factor", [("P", 24.0), ("P", 0.1), ("sma", 3.0), ("Rs", 9.7), ("Ms", 0.06)])
def test_a_star_against_keplers_law_is_unknown(data, edit, column, factor):
    """Guards against periods in hours: in the plausible range, and errors of 10,000 ppm without a word."""
    told = []
    edit(data / "test_star_info.csv", lambda t: t.assign(Rs=1.0, Ms=1.0, P=4.0, sma=10.6))
    assert read_star_info(data, "test", tell=told.append).notna().all(axis=None) and not told
    edit(data / "test_star_info.csv", lambda t: t.assign(**{column: t[column] * [1.0, factor, 1.0]}))
    table = read_star_info(data, "test", tell=told.append)
    assert table[["Rs", "Ms", "P", "sma"]].isna().all(axis=1).tolist() == [False, True, False]
    assert table["i"].notna().all() and "Kepler" in told[0] and "planet 7" in told[0]


def test_ids_written_as_floats_become_integers(make_competition):
    """Guards against '11.0' as a planet: the test table writes ids as floats."""
    data = make_competition(planets=(1103775, 7))
    for split in ("train", "test"):
        table = read_star_info(data, split)
        assert table.index.dtype.kind == "i" and table.loc[1103775, "sma"] == 10.0
    assert read_labels(data).shape == (2, 283)


def test_a_table_without_orbits_says_so(data):
    """Guards against a KeyError far from the table that caused it."""
    pd.DataFrame({"planet_id": [1], "Rs": [1.0]}).to_csv(data / "train_star_info.csv")
    with pytest.raises(DataError, match="columns are missing"):
        read_star_info(data)
