"""Labels are those of the planets that were measured."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit.anchor.label_rows import label_rows

IDS = [30, 10, 20]
MEASURED = [SimpleNamespace(planet_id=planet, wavelength_um=np.arange(4.0)) for planet in IDS]
ROWS = 1e-3 * np.array([[p + w for w in range(4)] for p in IDS], dtype=float)
WAVELENGTHS = [f"wl_{k}" for k in range(1, 5)]
TABLE = 1e-3 * pd.DataFrame(
    [[p + w for w in range(4)] for p in (10, 20, 30, 40)], index=[10, 20, 30, 40], columns=WAVELENGTHS
)


@pytest.mark.parametrize(
    "labels",
    [
        ROWS,
        ROWS.tolist(),
        TABLE,
        TABLE.rename_axis("planet_id").reset_index(),
        {p: TABLE.loc[p].to_numpy() for p in TABLE.index},
        {p: TABLE.loc[p] for p in TABLE.index},
        pd.concat([TABLE, TABLE.loc[[40]]]),
    ],
    ids=["array", "lists", "frame", "frame with a column", "mapping", "mapping of Series", "another's twice"],
)
def test_each_planet_has_its_own(labels):
    """Guards against labels in the table's order, which is seldom that of the measurements."""
    np.testing.assert_array_equal(label_rows(MEASURED, labels), ROWS)


@pytest.mark.parametrize(
    "labels, words",
    [
        (TABLE.drop(index=[10, 30]), "planets have no label.*found: 30, 10"),
        (pd.concat([TABLE, TABLE.loc[[20]] + 1]), "more than one label.*found: 20"),
        (TABLE.iloc[:, :3], r"do not fit.*\(3, 4\).*\(3, 3\)"),
        (1e6 * TABLE, "no transit depths.*divide ppm"),
        (TABLE[WAVELENGTHS[::-1]], "another order.*found: wl_4, wl_3"),
        (TABLE.replace(TABLE.iloc[1, 2], np.nan), "not finite.*found: 20"),
        (TABLE.iloc[:, 0], "one column.*found: Series"),
        (TABLE.astype(str), "not numbers.*wl_1"),
        (TABLE.rename(index=str), "have no label"),
        (ROWS[:2], r"do not fit.*\(3, 4\).*\(2, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(labels, words):
    """Guards against another planet's label, and against one that is cut to fit."""
    with pytest.raises(DataError, match=words):
        label_rows(MEASURED, labels)
