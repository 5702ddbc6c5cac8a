"""Stars and orbits of the planets, with what no planet that transits can have taken out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.planet_rows import read_planet_table
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

# Limits far wider than the competition's planets (Rs 0.65 … 2.9, Ts 4236 … 6979, P 2.8 … 7.6, sma 4.2 … 20.9,
# i 85.6 … 90): what lies outside is a wrong unit or a slip, not a planet that transits.
_STAR_LIMITS = {
    "Rs": (0.05, 50.0),
    "Ms": (0.05, 50.0),
    "Ts": (1500.0, 40000.0),
    "Mp": (1e-4, 200.0),
    "e": (0.0, 0.99),
    "P": (0.2, 5000.0),
    "sma": (1.5, 2000.0),
    "i": (45.0, 135.0),
}
STAR_COLUMNS = tuple(_STAR_LIMITS)
_ORBIT_COLUMNS = ("P", "sma", "i")
_KEPLER = 2.0  # the competition's rows agree with the law within 0.78 … 1.34
_KEPLER_COLUMNS = ("Rs", "Ms", "P", "sma")
_AU_IN_SUNS = 215.03


def read_star_info(data_dir: str | Path, split: str = "train", *, tell: Tell = say_once) -> pd.DataFrame:
    """Star and orbit table, index int planet_id: Rs Ms Ts Mp e P sma i (R☉, M☉, K, M_Jup, –, d, a/Rs, deg).

    float64, every planet once. What is unknown, impossible or contradictory (rows that differ, a period and a
    distance that no star of that mass and size has) is NaN, and told: the anchor then takes the medians for
    that planet.
    """
    path = Path(data_dir) / f"{split}_star_info.csv"
    optional = [name for name in STAR_COLUMNS if name not in _ORBIT_COLUMNS]
    stars = read_planet_table(path, STAR_COLUMNS, limits=_STAR_LIMITS, optional=optional, tell=tell)
    ratio = stars["sma"] * stars["Rs"] / (_AU_IN_SUNS * (stars["Ms"] * (stars["P"] / 365.25) ** 2) ** (1 / 3))
    broken = np.abs(np.log(ratio)) > np.log(_KEPLER)  # False where a cell is unknown
    if broken.any():
        where = ", ".join(f"planet {p} ({r:.2g} ×)" for p, r in ratio[broken].head(5).items())
        tell(
            f"{path.name}: sma against Kepler's third law with P, Ms and Rs in {int(broken.sum())} of "
            f"{len(stars)} rows: {where}; {', '.join(_KEPLER_COLUMNS)} are unknown there"
        )
        stars.loc[broken, list(_KEPLER_COLUMNS)] = np.nan
    return stars
