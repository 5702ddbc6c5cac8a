"""adc_info.csv: gain and offset of the converters, one row for all planets or a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spectramind_kit.detector.csv_table import Tell, read_cells
from spectramind_kit.detector.file_errors import odd_table
from spectramind_kit.detector.instrument import AIRS, FGS1, Instrument
from spectramind_kit.detector.planet_rows import numbers, read_planet_table
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once

_COLUMNS = tuple(f"{sensor.name}_adc_{what}" for sensor in (FGS1, AIRS) for what in ("offset", "gain"))
_LIMITS = {name: (1e-4, 1e4) if name.endswith("gain") else (-1e6, 1e6) for name in _COLUMNS}


@dataclass(frozen=True)
class AdcInfo:
    """Converters of both sensors. With ``by_planet`` the four values are those that all share, or NaN."""

    fgs1_offset: float
    fgs1_gain: float
    airs_offset: float
    airs_gain: float
    by_planet: Mapping[int, AdcInfo] = field(default_factory=dict)  # where the table has a row per planet

    def gain(self, instrument: Instrument) -> float:
        return self.airs_gain if instrument.name == AIRS.name else self.fgs1_gain

    def offset(self, instrument: Instrument) -> float:
        return self.airs_offset if instrument.name == AIRS.name else self.fgs1_offset

    @property
    def values(self) -> tuple[float, float, float, float]:
        return self.fgs1_offset, self.fgs1_gain, self.airs_offset, self.airs_gain

    def of(self, planet_id: int) -> AdcInfo:
        """The converters of one planet. Raises DataError where the table does not say."""
        found = self.by_planet.get(int(planet_id), self)
        if not np.isfinite(found.values).all():
            unusable = "a cell that is no usable number, or rows that contradict each other"
            raise DataError(
                "adc_info.csv does not give gain and offset of this planet",
                where=f"planet {planet_id}",
                expected=", ".join(_COLUMNS),
                fix="complete its row, or leave the planet out",
                found="no row" if found is self else unusable,
            )
        return found


def read_adc_info(data_dir: str | Path, *, tell: Tell = say_once) -> AdcInfo:
    """Gain and offset of the converters: one row for all planets, or one per planet_id.

    Raises
    ------
    DataError
        Missing file or column; a gain that is zero or not finite; several rows that differ, and no planet_id
        to tell whose they are.
    """
    path = Path(data_dir) / "adc_info.csv"
    cells = read_cells(path, tell=tell)
    for name in _COLUMNS:
        if name not in cells.columns or len(cells) < 1:
            what = "a column is missing" if len(cells) else "the table has no row"
            found = ", ".join(map(str, cells.columns))
            raise odd_table(what, where=str(path), expected=name, found=found)
    if "planet_id" in cells.columns:
        return _by_planet(path, tell)
    labels = ["(all)"] * len(cells)
    values = numbers(cells, _COLUMNS, limits=_LIMITS, name=path.name, labels=labels, tell=lambda _: None)
    wrong = [name for name, good in zip(_COLUMNS, np.isfinite(values).all(0)) if not good]
    if wrong:
        raise odd_table(
            "an impossible value",
            where=f"{path}, {wrong[0]}",
            expected="a finite number, gain above zero",
            found=", ".join(map(repr, cells[wrong[0]])),
        )
    if (values != values[0]).any():
        raise DataError(
            "several rows that differ, and no planet_id to match them by",
            where=str(path),
            expected="one row, or a column planet_id",
            found=f"{len(values)} rows",
            fix="add planet_id, or keep the row that is true",
        )
    if len(values) > 1:
        tell(f"{path.name}: {len(values)} equal rows; taken once")
    return AdcInfo(*map(float, values[0]))


def _by_planet(path: Path, tell: Tell) -> AdcInfo:
    table = read_planet_table(path, _COLUMNS, limits=_LIMITS, tell=tell)
    values = table.to_numpy()
    same = np.isfinite(values).all(0) & (values == values[:1]).all(0) & bool(len(values))
    shared = np.where(same, values[0] if len(values) else np.nan, np.nan)
    if not np.isfinite(shared).all():
        tell(f"{path.name}: gain and offset differ between planets; each planet is read with its own row")
    by_planet = {int(planet): AdcInfo(*map(float, row)) for planet, row in zip(table.index, values)}
    return AdcInfo(*map(float, shared), by_planet=by_planet)
