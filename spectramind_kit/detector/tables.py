"""The tables of the competition's folder: stars, labels, wavelengths, axes, converters. What is odd in them
is told.

Every reader takes ``tell``, which is given each finding in a plain sentence; by default it is said once. A
run passes `RunFolder.tell`, which also keeps it in ``run.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.csv_table import Tell, numbers, read_cells, read_planet_table
from spectramind_kit.detector.instrument import (
    AIRS,
    AIRS_INTEGRATION_COLUMN,
    AIRS_WAVELENGTH_COLUMN,
    FGS1,
    FGS1_WAVELENGTH_UM,
    N_BINS,
    Instrument,
)
from spectramind_kit.detector.spectral_axis import spectral_axis
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    import pandas as pd

STAR_COLUMNS = ("Rs", "Ms", "Ts", "Mp", "e", "P", "sma", "i")
_ORBIT_COLUMNS = ("P", "sma", "i")
# Far wider than the competition's planets (Rs 0.65 … 2.9, Ts 4236 … 6979, P 2.8 … 7.6, sma 4.2 … 20.9,
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
_KEPLER = 2.0  # the competition's rows agree with the law within 0.78 … 1.34
_KEPLER_COLUMNS = ("Rs", "Ms", "P", "sma")
_AU_IN_SUNS = 215.03
_SHORTEST_H, _LONGEST_H = 0.5, 60.0  # days, minutes and seconds of a visit of hours lie outside
DEEPEST = 0.25  # a planet half as large as its star; the competition's go to 0.08
_SPECTRUM = [f"wl_{k}" for k in range(1, N_BINS + 1)]
_ADC_COLUMNS = tuple(
    f"{instrument.name}_adc_{what}" for instrument in (FGS1, AIRS) for what in ("offset", "gain")
)
_ADC_LIMITS = {name: (1e-4, 1e4) if name.endswith("gain") else (-1e6, 1e6) for name in _ADC_COLUMNS}


@dataclass(frozen=True)
class AxisInfo:
    """axis_info.parquet without its NaN padding. Times in hours, one per frame."""

    airs_time_h: np.ndarray
    fgs1_time_h: np.ndarray
    airs_wavelength_um: np.ndarray
    airs_integration_time_s: np.ndarray

    def time_h(self, instrument: Instrument) -> np.ndarray:
        return self.airs_time_h if instrument.name == AIRS.name else self.fgs1_time_h


@dataclass(frozen=True)
class AdcInfo:
    """Gain and offset of both sensors' analogue-to-digital converters. Where the table has a row per planet,
    ``by_planet`` holds them, and the four values are those that all planets share, or NaN."""

    fgs1_offset: float
    fgs1_gain: float
    airs_offset: float
    airs_gain: float
    by_planet: Mapping[int, AdcInfo] = field(default_factory=dict)

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
            raise DataError(
                "adc_info.csv does not give gain and offset of this planet",
                where=f"planet {planet_id}",
                expected=", ".join(_ADC_COLUMNS),
                fix="complete its row, or leave the planet out",
                found="no row"
                if found is self
                else "a cell that is no usable number, or rows that contradict each other",
            )
        return found


@dataclass(frozen=True)
class SharedTables:
    """What every visit of a data folder needs: time stamps, converters, and the wavelength (283,) of each
    bin."""

    axis: AxisInfo
    adc: AdcInfo
    wavelength_um: np.ndarray


def read_star_info(data_dir: str | Path, split: str = "train", *, tell: Tell = say_once) -> pd.DataFrame:
    """Star and orbit table, indexed by int planet_id: Rs Ms Ts Mp e P sma i (R☉, M☉, K, M_Jup, –, d, a/Rs,
    deg).

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


def read_labels(data_dir: str | Path, *, tell: Tell = say_once) -> pd.DataFrame:
    """True spectra of the train planets, indexed by int planet_id, columns wl_1 … wl_283 (depth,
    dimensionless).

    Every planet once; NaN where there is no depth between 0 and 0.25, or where two rows of the planet
    contradict each other.

    Raises
    ------
    DataError
        Also where the whole table is in other units (per cent, ppm).
    """
    path = Path(data_dir) / "train.csv"
    raw = read_spectra(path, tell=lambda _: None)
    level = float(np.nanmedian(raw.to_numpy())) if np.isfinite(raw.to_numpy()).any() else 0.0
    if level > DEEPEST:
        raise DataError(
            "the labels are not transit depths",
            where=str(path),
            expected="(Rp/Rs)², about 0.015",
            found=f"a median of {level:g}",
            fix="divide by 100 if these are per cent, by 10⁶ if they are ppm",
        )
    return read_spectra(path, limits=(1e-7, DEEPEST), tell=tell)


def read_spectra(
    path: str | Path, *, limits: tuple[float, float] | None = None, tell: Tell = say_once
) -> pd.DataFrame:
    """Depths of planets from any CSV with planet_id, wl_1 … wl_283 (further columns are not read): index the
    int planet_id, every planet once; NaN where a cell is no number, outside ``limits``, or contradicted by
    another row of the planet."""
    return read_planet_table(
        path, _SPECTRUM, limits=dict.fromkeys(_SPECTRUM, limits) if limits else None, tell=tell
    )


def read_wavelengths(data_dir: str | Path, *, tell: Tell = say_once) -> np.ndarray:
    """Wavelength of each spectrum bin, shape (283,), µm, by the names wl_1 … wl_283; index 0 is FGS1, the
    rest ascends (or, in an odd copy, descends)."""
    path = Path(data_dir) / "wavelengths.csv"
    cells = read_cells(path, tell=tell)
    missing = [name for name in _SPECTRUM if name not in cells.columns]
    if missing or len(cells) < 1:
        raise DataError(
            "unexpected shape",
            where=str(path),
            expected="one row, columns wl_1 … wl_283",
            found=f"{len(cells)} rows, {len(cells.columns)} columns",
            fix="use the competition's file",
        )
    if [name for name in cells.columns if name in set(_SPECTRUM)] != _SPECTRUM:
        tell(f"{path.name}: the columns are not in the order wl_1 … wl_283; their names decide")
    values = numbers(
        cells,
        _SPECTRUM,
        limits=dict.fromkeys(_SPECTRUM, (0.1, 30.0)),
        name=path.name,
        labels=[f"(row {k})" for k in range(1, len(cells) + 1)],
        tell=lambda _: None,
    )
    row = values[0]
    if not np.isfinite(row).all() or (values != row).any():
        raise DataError(
            "unexpected shape" if np.isfinite(row).all() else "a wavelength is not a number",
            where=str(path),
            expected="one row of 283 wavelengths, µm",
            found=f"{len(values)} rows, {int(np.isfinite(row).sum())} numbers in the first",
            fix="use the competition's file",
        )
    steps = np.diff(row[1:])
    if not ((steps > 0).all() or (steps < 0).all()):
        raise DataError(
            "the wavelengths are not in order",
            where=str(path),
            expected="wl_2 … wl_283 ascending",
            found=f"{int(min((steps <= 0).sum(), (steps >= 0).sum()))} steps back",
            fix="use the competition's file",
        )
    if (steps < 0).all():
        tell(f"{path.name}: wl_2 … wl_283 descend; light curves and spectra follow that order")
    return row


def read_axis_info(data_dir: str | Path, *, tell: Tell = say_once) -> AxisInfo:
    """Time stamp of every frame, the wavelength of every AIRS column, the AIRS integration times.

    Columns are padded with NaN to the longest: the padding is removed here. A stamp that is missing inside a
    column is taken from the reads of the same kind before and after it.
    """
    import pyarrow.parquet as pq

    path = Path(data_dir) / "axis_info.parquet"
    if not path.is_file():
        raise DataError(
            "a table of the competition is missing",
            where=str(path),
            expected=path.name,
            found="no such file",
            fix="check data_dir",
        )
    names = (AIRS.time_column, FGS1.time_column, AIRS_WAVELENGTH_COLUMN, AIRS_INTEGRATION_COLUMN)
    try:
        table = pq.read_table(path)
    except Exception as error:  # pyarrow raises several unrelated classes for a broken file
        raise DataError(
            "the file cannot be read",
            where=str(path),
            found=f"{type(error).__name__}: {error}",
            expected="a Parquet file",
            fix="copy the file again",
        ) from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError(
            "columns are missing",
            where=str(path),
            expected=", ".join(names),
            found=", ".join(table.column_names),
            fix="use the competition's file",
        )
    info = AxisInfo(
        *(_without_padding(table.column(name), name=name, path=path, tell=tell) for name in names)
    )
    if len(info.airs_wavelength_um) != AIRS.columns:
        raise DataError(
            "wrong number of AIRS wavelengths",
            where=f"{path}, {AIRS_WAVELENGTH_COLUMN}",
            expected=str(AIRS.columns),
            found=str(len(info.airs_wavelength_um)),
            fix="use the competition's file",
        )
    for name, time in ((AIRS.time_column, info.airs_time_h), (FGS1.time_column, info.fgs1_time_h)):
        if not (np.diff(time) > 0).all():
            raise DataError(
                "time stamps do not ascend",
                where=f"{path}, {name}",
                expected="one later stamp per frame",
                found=f"{int((np.diff(time) <= 0).sum())} steps back or repeated",
                fix="use the competition's file",
            )
        span = float(np.ptp(time)) if len(time) else 0.0
        if not _SHORTEST_H <= span <= _LONGEST_H:
            raise DataError(
                "time stamps are not in hours",
                where=f"{path}, {name}",
                expected=f"a visit of {_SHORTEST_H:g} … {_LONGEST_H:g} h; the competition's last 7.5 h",
                found=f"{span:g}",
                fix="divide seconds by 3600, or multiply days by 24",
            )
    return info


def read_adc_info(data_dir: str | Path, *, tell: Tell = say_once) -> AdcInfo:
    """Gain and offset of the converters: one row for all planets, or one per planet where there is a
    planet_id.

    Raises
    ------
    DataError
        Missing file or column; a gain that is zero or not finite; several rows that differ, and no planet_id
        to tell whose they are.
    """
    path = Path(data_dir) / "adc_info.csv"
    cells = read_cells(path, tell=tell)
    for name in _ADC_COLUMNS:
        if name not in cells.columns or len(cells) < 1:
            raise DataError(
                "a column is missing" if len(cells) else "the table has no row",
                where=str(path),
                expected=name,
                found=", ".join(map(str, cells.columns)),
                fix="use the competition's file",
            )
    if "planet_id" in cells.columns:
        table = read_planet_table(path, _ADC_COLUMNS, limits=_ADC_LIMITS, tell=tell)
        by_planet = {
            int(planet): AdcInfo(*map(float, row)) for planet, row in zip(table.index, table.to_numpy())
        }
        shared = _shared(table.to_numpy())
        if not np.isfinite(shared).all():
            tell(f"{path.name}: gain and offset differ between planets; each planet is read with its own row")
        return AdcInfo(*shared, by_planet=by_planet)
    values = numbers(
        cells,
        _ADC_COLUMNS,
        limits=_ADC_LIMITS,
        name=path.name,
        labels=["(all)"] * len(cells),
        tell=lambda _: None,
    )
    wrong = [name for name, good in zip(_ADC_COLUMNS, np.isfinite(values).all(0)) if not good]
    if wrong:
        raise DataError(
            "an impossible value",
            where=f"{path}, {wrong[0]}",
            expected="a finite number, gain above zero",
            found=", ".join(map(repr, cells[wrong[0]])),
            fix="use the competition's file",
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


def read_shared_tables(
    data_dir: str | Path,
    *,
    adc: AdcInfo | None = None,
    wavelength_um: np.ndarray | None = None,
    tell: Tell = say_once,
) -> SharedTables:
    """axis_info, adc_info and wavelengths together, and checked against each other.

    ``adc`` and ``wavelength_um`` stand in for a table that cannot be used (those of the training, at the
    rerun); that is told. Without a stand-in the wavelengths are those of the AIRS columns in
    axis_info.parquet, as the competition orders them.

    Raises
    ------
    DataError
        A table that nothing can stand in for, or wavelengths that are not those of the detector's columns.
    """
    axis = read_axis_info(data_dir, tell=tell)
    try:
        converters = read_adc_info(data_dir, tell=tell)
    except DataError as error:
        if adc is None:
            raise
        tell(f"adc_info.csv cannot be used; gain and offset are those of the training, {adc.values}. {error}")
        converters = adc
    try:
        wavelengths = read_wavelengths(data_dir, tell=tell)
    except DataError as error:
        wavelengths = wavelength_um if wavelength_um is not None else _of_the_axis(axis)
        source = "axis_info.parquet" if wavelength_um is None else "the training"
        tell(f"wavelengths.csv cannot be used; the wavelengths are those of {source}. {error}")
    order = spectral_axis(axis.airs_wavelength_um, wavelengths)
    if order.unusual:
        tell(order.unusual)
    return SharedTables(axis, converters, wavelengths)


def _of_the_axis(axis: AxisInfo) -> np.ndarray:
    return np.r_[FGS1_WAVELENGTH_UM, np.sort(axis.airs_wavelength_um[AIRS.cut])]


def _shared(values: np.ndarray) -> list[float]:
    same = np.isfinite(values).all(0) & (values == values[:1]).all(0) if len(values) else np.zeros(4, bool)
    return [
        float(v) if good else float("nan") for v, good in zip(values[0] if len(values) else np.zeros(4), same)
    ]


def _without_padding(column, *, name: str, path: Path, tell: Tell) -> np.ndarray:
    try:
        values = column.to_pandas().to_numpy(dtype=np.float64, copy=True)
    except (ValueError, TypeError) as error:
        raise DataError(
            "a column is not numeric",
            where=f"{path}, {name}",
            expected="numbers",
            found=str(error),
            fix="use the competition's file",
        ) from error
    finite = np.flatnonzero(np.isfinite(values))
    values = values[: finite[-1] + 1] if len(finite) else values[:0]
    holes = np.flatnonzero(~np.isfinite(values))
    if not len(holes):
        return values
    for parity in (0, 1):  # reads alternate: just after reset, end of the ramp
        own = values[parity::2]
        good = np.isfinite(own)
        if good.sum() > 1:
            own[~good] = np.interp(np.flatnonzero(~good), np.flatnonzero(good), own[good])
    if not np.isfinite(values).all() or len(holes) > 0.01 * len(values):
        raise DataError(
            "numbers are missing inside a column",
            where=f"{path}, {name}",
            expected="NaN only behind the last frame",
            found=f"{len(holes)} of {len(values)}",
            fix="copy the file again",
        )
    tell(f"{path.name}: {name} has {len(holes)} holes; filled from the frames of the same kind beside them")
    return values
