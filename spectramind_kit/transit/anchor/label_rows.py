"""Labels in the order of the measurements, matched by planet where the labels say whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.spectra import DEEPEST
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
        Counts or wavelengths that do not fit; planets without a label, or with two; what is no depth.
    """
    planets = [measurement.planet_id for measurement in measurements]
    if hasattr(depths, "iloc"):
        _check_columns(depths)
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
            where="labels",
            expected=f"({n}, {width}), at least one planet",
            found=str(rows.shape),
            fix="pass one label row per measurement, or labels by planet_id",
        )
    unknown = [planet for planet, row in zip(planets, rows) if not np.isfinite(row).all()]
    _refuse("labels are not finite", unknown, fix="leave these planets out")
    level = float(np.median(rows))
    if not 0.0 < level <= DEEPEST:
        raise DataError(
            "labels are no transit depths",
            where="labels",
            expected=f"(Rp/Rs)², 0 … {DEEPEST}",
            found=f"a median of {level:.4g}",
            fix="divide ppm by 1e6, per cent by 100",
        )
    return rows


def _check_columns(depths: pd.DataFrame) -> None:
    """A frame's columns must be numbers, in the order of the wavelengths where they are named by it."""
    if getattr(depths, "ndim", 1) != 2:
        found, expected = type(depths).__name__, "a table, a row per planet"
        raise DataError("labels are one column", where="labels", expected=expected, found=found)
    names = [str(name) for name in depths.columns if name != "planet_id"]
    numbers = [int(name[3:]) for name in names if name.startswith("wl_") and name[3:].isdigit()]
    if numbers != sorted(numbers):
        raise DataError(
            "labels have their wavelengths in another order",
            where="labels",
            expected="wl_1, wl_2 …",
            found=f"{names[0]}, {names[1]} …",
            fix="sort the columns",
        )
    texts = [name for name, kind in depths.dtypes.items() if kind.kind not in "iuf"]
    if texts:
        raise DataError(
            "labels are not numbers",
            where=f"labels, column {texts[0]}",
            expected="numbers",
            found=str(depths[texts[0]].dtype),
        )


def _refuse(what: str, planets: Sequence[int], *, fix: str) -> None:
    if planets:
        found = ", ".join(map(repr, planets[:5])) + (f", … ({len(planets)} in all)" if planets[5:] else "")
        raise DataError(what, where="labels", found=found, fix=fix)
