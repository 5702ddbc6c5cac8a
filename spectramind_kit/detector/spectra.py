"""Spectra of planets in tables: the labels, a submission, any CSV with wl_1 … wl_283."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.detector.planet_rows import read_planet_table
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

SPECTRUM_COLUMNS = [f"wl_{k}" for k in range(1, N_BINS + 1)]
DEEPEST = 0.25  # a planet half as large as its star; the competition's go to 0.08
_SHALLOWEST = 1e-7


def read_labels(data_dir: str | Path, *, tell: Tell = say_once) -> pd.DataFrame:
    """True spectra of the train planets: index int planet_id, columns wl_1 … wl_283 (depth, dimensionless).

    Every planet once; NaN where there is no depth between 0 and 0.25, or two rows of the planet differ.

    Raises
    ------
    DataError
        Also where the whole table is in other units (per cent, ppm).
    """
    path = Path(data_dir) / "train.csv"
    raw = read_spectra(path, tell=lambda _: None).to_numpy()
    level = float(np.nanmedian(raw)) if np.isfinite(raw).any() else 0.0
    if level > DEEPEST:
        raise DataError(
            "the labels are not transit depths",
            where=str(path),
            expected="(Rp/Rs)², about 0.015",
            found=f"a median of {level:g}",
            fix="divide by 100 if these are per cent, by 10⁶ if they are ppm",
        )
    return read_spectra(path, limits=(_SHALLOWEST, DEEPEST), tell=tell)


def read_spectra(
    path: str | Path, *, limits: tuple[float, float] | None = None, tell: Tell = say_once
) -> pd.DataFrame:
    """Depths of planets from any CSV with planet_id, wl_1 … wl_283 (further columns are not read).

    Index the int planet_id, every planet once; NaN where a cell is no number, outside ``limits``, or
    contradicted by another row of the planet.
    """
    everywhere = dict.fromkeys(SPECTRUM_COLUMNS, limits) if limits else None
    return read_planet_table(path, SPECTRUM_COLUMNS, limits=everywhere, tell=tell)
