"""The star table of a call in memory; its refusals are those of `predict` (test_in_memory.py)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spectramind_kit.inference.star_table import star_table

STAR = {"P": 4.0, "sma": 10.0, "i": 89.0, "Rs": 1.1}


def test_the_numbers_of_a_star_are_kept_and_nothing_else():
    """Guards against a column of text that ends the call, and ids that a csv reader made floats."""
    given = pd.DataFrame([{**STAR, "planet_id": 5.0, "name": "b"}, {**STAR, "planet_id": 6.0, "Rs": "--"}])
    table = star_table(given, [6, 5])
    assert sorted(table.columns) == sorted(STAR) and (table.dtypes == np.float64).all()
    assert table.loc[5, "Rs"] == 1.1 and np.isnan(table.loc[6, "Rs"]) and list(given["planet_id"]) == [5, 6]


def test_one_planet_may_come_as_its_row():
    """Guards against a row that is looked up by its place in another table."""
    for row in (STAR, pd.Series(STAR, name=17)):
        assert star_table(row, [5]).loc[5, "sma"] == 10.0
