"""A planet's row of the star table, in any form that a notebook has it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("P", "sma", "i")  # the orbit; of the star itself the fit does with typical values


def star_row(star: Mapping[str, float] | pd.Series | pd.DataFrame, *, planet_id: int) -> dict[str, float]:
    """The row as a dict: from a mapping, a Series (``stars.loc[planet_id]``) or a frame of one row.

    Raises
    ------
    DataError
        It is no row, or lacks a column of the orbit. A number that is unknown is NaN: the fit then takes
        typical values, and the flag "star table incomplete" says so.
    """
    where, fix = f"the star of planet {planet_id}", f"pass read_star_info(data_dir, split).loc[{planet_id}]"
    if hasattr(star, "iloc") and hasattr(star, "columns"):
        if len(star) != 1:
            what, found = "one star is asked for, and a table was given", f"{len(star)} rows"
            raise DataError(what, where=where, expected="one row", found=found, fix=fix)
        star = star.iloc[0]
    try:
        row = {str(name): value for name, value in dict(star).items()}
    except (TypeError, ValueError) as error:
        expected, found = "a dict, a Series or a frame of one row", type(star).__name__
        raise DataError("no star was given", where=where, expected=expected, found=found, fix=fix) from error
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise DataError(
            f"the star has no {', '.join(missing)}",
            where=where,
            expected="P (d), sma (a/Rs), i (deg), and of Rs, Ms (Sun), Ts (K), Mp (Jupiter) what is known",
            found=", ".join(row) or "nothing",
            fix=f"{fix}; what is unknown is NaN",
        )
    return row
