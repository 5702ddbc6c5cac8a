"""The star table of a call in memory, in the form that stage 1 reads from the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from spectramind_kit.detector.star_info import STAR_COLUMNS
from spectramind_kit.errors import DataError
from spectramind_kit.transit.star_row import star_row


def star_table(
    stars: pd.DataFrame | pd.Series | Mapping[str, float], planet_ids: Sequence[int]
) -> pd.DataFrame:
    """Indexed by planet_id, the columns of `read_star_info`; what is no number is NaN.

    ``stars`` is a table with the planets in its index or in a column ``planet_id``; for one planet also its
    row alone. Raises DataError for a table without an orbit's columns, with a planet twice, or with none of
    the planets.
    """
    if not isinstance(stars, pd.DataFrame):
        if len(planet_ids) != 1:
            found = f"{type(stars).__name__} for {len(planet_ids)} planets"
            what, expected = "one row of the star table is of one planet", "a table with all of them"
            raise DataError(what, where="stars", expected=expected, found=found)
        stars = pd.DataFrame([star_row(stars, planet_id=planet_ids[0])], index=list(planet_ids))
    elif "planet_id" in stars.columns:
        stars = stars.set_index("planet_id")
    own = stars[stars.index.isin(planet_ids)]
    if own.empty:
        raise DataError(
            "the star table holds none of the planets",
            where="stars",
            expected=f"planet_id in the index or in a column: {', '.join(map(repr, planet_ids[:3]))} …",
            found=", ".join(map(repr, stars.index[:3].tolist())) or "an empty table",
            fix="pass read_star_info(data_dir, split); ids are whole numbers, no texts",
        )
    if own.index.duplicated().any():
        twice = own.index[own.index.duplicated()][0]
        raise DataError("a planet is in the star table twice", where="stars", found=f"planet {twice}")
    star_row(own.iloc[0], planet_id=own.index[0])  # the columns
    stars = stars[[name for name in STAR_COLUMNS if name in stars.columns]]
    return stars.apply(pd.to_numeric, errors="coerce").astype("float64")
