"""The wavelength of every bin of a spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spectramind_kit.detector.csv_table import Tell, read_cells
from spectramind_kit.detector.file_errors import odd_table
from spectramind_kit.detector.planet_rows import numbers
from spectramind_kit.detector.spectra import SPECTRUM_COLUMNS
from spectramind_kit.runtime import say_once

_LIMITS_UM = (0.1, 30.0)  # other units lie outside


def read_wavelengths(data_dir: str | Path, *, tell: Tell = say_once) -> np.ndarray:
    """(283,) µm, by the names wl_1 … wl_283; index 0 is FGS1, the rest ascends (in an odd copy, descends)."""
    path = Path(data_dir) / "wavelengths.csv"
    cells = read_cells(path, tell=tell)
    if any(name not in cells.columns for name in SPECTRUM_COLUMNS) or len(cells) < 1:
        raise odd_table(
            "unexpected shape",
            where=str(path),
            expected="one row, columns wl_1 … wl_283",
            found=f"{len(cells)} rows, {len(cells.columns)} columns",
        )
    if [name for name in cells.columns if name in set(SPECTRUM_COLUMNS)] != SPECTRUM_COLUMNS:
        tell(f"{path.name}: the columns are not in the order wl_1 … wl_283; their names decide")
    values = numbers(
        cells,
        SPECTRUM_COLUMNS,
        limits=dict.fromkeys(SPECTRUM_COLUMNS, _LIMITS_UM),
        name=path.name,
        labels=[f"(row {k})" for k in range(1, len(cells) + 1)],
        tell=lambda _: None,
    )
    row = values[0]
    known = np.isfinite(row)
    if not known.all() or (values != row).any():
        raise odd_table(
            "unexpected shape" if known.all() else "a wavelength is not a number",
            where=str(path),
            expected="one row of 283 wavelengths, µm",
            found=f"{len(values)} rows, {int(known.sum())} numbers in the first",
        )
    steps = np.diff(row[1:])
    back = int(min((steps <= 0).sum(), (steps >= 0).sum()))
    if back:
        found, expected = f"{back} steps back", "wl_2 … wl_283 ascending"
        raise odd_table("the wavelengths are not in order", where=str(path), expected=expected, found=found)
    if (steps < 0).all():
        tell(f"{path.name}: wl_2 … wl_283 descend; light curves and spectra follow that order")
    return row
