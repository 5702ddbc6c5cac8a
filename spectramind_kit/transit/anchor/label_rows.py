"""Labels in the order of the measurements, matched by planet where the labels say whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

if TYPE_CHECKING:
    import pandas as pd


def label_rows(
    measurements: Sequence[DepthMeasurement], depths: pd.DataFrame | Mapping[int, np.ndarray] | np.ndarray
) -> np.ndarray:
    """(N, W) float64, one row per measurement.

    ``depths`` is an array in their order, a mapping planet_id -> (W,), or a frame as `read_labels` gives it
    (planets in the index, or in a column ``planet_id``). The last two may hold more planets.

    Raises
    ------
    DataError
        Counts or wavelengths that do not fit; planets without a label, or with two.
    """
    planets = [measurement.planet_id for measurement in measurements]
    if hasattr(depths, "iloc"):
        depths = depths.set_index("planet_id") if "planet_id" in depths.columns else depths
        twice = [p for p in depths.index[depths.index.duplicated()].unique() if p in set(planets)]
        _refuse("planets have more than one label", twice, fix="keep one row a planet")
        depths = dict(zip(depths.index.tolist(), depths.to_numpy(dtype=np.float64)))
    if isinstance(depths, Mapping):
        missing = [planet for planet in planets if planet not in depths]
        _refuse("planets have no label", missing, fix="pass labels of all planets that were measured")
        depths = [depths[planet] for planet in planets]
    rows = np.asarray(depths, dtype=np.float64)
    n, width = len(planets), len(measurements[0].wavelength_um) if planets else 0
    if not n or rows.shape != (n, width):
        raise DataError(
            "measurements and labels do not fit",
            where="cross_fit",
            expected=f"({n}, {width}), at least one planet",
            found=str(rows.shape),
            fix="pass one label row per measurement, or labels by planet_id",
        )
    return rows


def _refuse(what: str, planets: Sequence[int], *, fix: str) -> None:
    if planets:
        found = ", ".join(map(str, planets[:5])) + (f", … ({len(planets)} in all)" if planets[5:] else "")
        raise DataError(what, where="the labels of cross_fit", found=found, fix=fix)
