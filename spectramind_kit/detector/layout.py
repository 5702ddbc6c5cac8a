"""Find, check and read the tables of a copy of the competition's folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.detector.instrument import (
    AIRS,
    AIRS_INTEGRATION_COLUMN,
    AIRS_WAVELENGTH_COLUMN,
    CALIBRATION_PRODUCTS,
    FGS1,
    INSTRUMENTS,
    N_BINS,
    Instrument,
)
from spectramind_kit.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "test")
STAR_COLUMNS = ("Rs", "Ms", "Ts", "Mp", "e", "P", "sma", "i")
_SIGNAL_NAME = re.compile(r"^(AIRS-CH0|FGS1)_signal_(\d+)\.parquet$")


@dataclass(frozen=True, order=True)
class VisitFiles:
    """The twelve files of one visit of one planet. Sorts by planet, then visit."""

    planet_id: int
    visit: int
    split: str
    folder: Path

    def signal(self, instrument: Instrument) -> Path:
        return self.folder / instrument.signal_file(self.visit)

    def calibration(self, instrument: Instrument, product: str) -> Path:
        if product not in CALIBRATION_PRODUCTS:
            raise DataError("unknown calibration product", found=repr(product),
                            expected=", ".join(CALIBRATION_PRODUCTS), fix=nearest(product, CALIBRATION_PRODUCTS))
        return self.folder / instrument.calibration_folder(self.visit) / f"{product}.parquet"

    @property
    def label(self) -> str:
        """For messages: ``planet 34983 visit 0 (train)``."""
        return f"planet {self.planet_id} visit {self.visit} ({self.split})"

    def all_files(self) -> list[Path]:
        return [path for instrument in INSTRUMENTS
                for path in (self.signal(instrument), *(self.calibration(instrument, p) for p in CALIBRATION_PRODUCTS))]

    def check(self) -> None:
        """Raise DataError naming the first file of this visit that is not there."""
        for path in self.all_files():
            if not path.is_file():
                raise DataError("a file of this visit is missing", where=f"{self.label}, {path}",
                                expected="a signal and five calibration files of both FGS1 and AIRS-CH0",
                                found="no such file", fix="copy the planet's folder again, or leave the planet out")


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
    """Gain and offset of both sensors' analogue-to-digital converters."""

    fgs1_offset: float
    fgs1_gain: float
    airs_offset: float
    airs_gain: float

    def gain(self, instrument: Instrument) -> float:
        return self.airs_gain if instrument.name == AIRS.name else self.fgs1_gain

    def offset(self, instrument: Instrument) -> float:
        return self.airs_offset if instrument.name == AIRS.name else self.fgs1_offset


def find_visits(data_dir: str | Path, split: str = "train") -> list[VisitFiles]:
    """Every visit that has a signal file of either sensor, sorted by planet and visit.

    No table says which planets have two visits, so the folders are listed. A visit with one sensor only is
    returned too: reading it raises a DataError that names the missing file, so that it is reported, not lost.

    Raises
    ------
    DataError
        Unknown split, no such folder, or no planet folder in it.
    """
    if split not in SPLITS:
        raise DataError("unknown split", found=repr(split), expected="train or test", fix=nearest(split, SPLITS))
    root = Path(data_dir) / split
    if not root.is_dir():
        raise DataError("the split's folder was not found", where=str(root), expected=f"{split}/<planet_id>/ folders",
                        found="no such folder", fix="check data_dir")
    visits = []
    for folder in root.iterdir():
        if not folder.is_dir():
            continue
        planet_id = _planet_id(folder.name)
        if planet_id is None:
            continue
        numbers = {int(match.group(2)) for path in folder.iterdir() if (match := _SIGNAL_NAME.match(path.name))}
        # a planet folder without any signal still counts: its planet must be reported, not silently dropped
        visits += [VisitFiles(planet_id, n, split, folder) for n in sorted(numbers or {0})]
    if not visits:
        raise DataError("the split holds no planets", where=str(root), expected=f"{split}/<planet_id>/ folders",
                        found="none", fix="check data_dir")
    return sorted(visits)


def read_star_info(data_dir: str | Path, split: str = "train") -> pd.DataFrame:
    """Star and orbit table, indexed by int planet_id: Rs Ms Ts Mp e P sma i (R☉, M☉, K, M_Jup, –, d, a/Rs, deg)."""
    path = Path(data_dir) / f"{split}_star_info.csv"
    table = _read_csv(path)
    missing = [name for name in STAR_COLUMNS if name not in table.columns]
    if missing:
        raise DataError("columns are missing", where=str(path), expected=", ".join(STAR_COLUMNS),
                        found=", ".join(map(str, table.columns)), fix="use the competition's file")
    return table


def read_labels(data_dir: str | Path) -> pd.DataFrame:
    """True spectra of the train planets, indexed by int planet_id, columns wl_1 … wl_283 (depth, dimensionless)."""
    path = Path(data_dir) / "train.csv"
    table = _read_csv(path)
    names = [f"wl_{k}" for k in range(1, N_BINS + 1)]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError("columns are missing", where=str(path), expected="planet_id, wl_1 … wl_283",
                        found=f"no {missing[0]} (and {len(missing) - 1} more)", fix="use the competition's file")
    return table[names].astype("float64")


def read_wavelengths(data_dir: str | Path) -> np.ndarray:
    """Wavelength of each spectrum bin, shape (283,), µm; index 0 is FGS1, the rest ascends."""
    import pandas as pd

    path = Path(data_dir) / "wavelengths.csv"
    _require(path)
    table = pd.read_csv(path, dtype=str)  # Python parses to the last bit; pandas 2 (on Kaggle) is 1 ulp off
    names = [f"wl_{k}" for k in range(1, N_BINS + 1)]
    if list(table.columns) != names or len(table) != 1:
        raise DataError("unexpected shape", where=str(path), expected="one row, columns wl_1 … wl_283",
                        found=f"{len(table)} rows, {len(table.columns)} columns", fix="use the competition's file")
    return table.to_numpy(dtype=np.float64)[0]


def read_axis_info(data_dir: str | Path) -> AxisInfo:
    """Time stamp of every frame, the wavelength of every AIRS column, the AIRS integration times.

    Columns are padded with NaN to the longest: the padding is removed here.
    """
    import pyarrow.parquet as pq

    path = Path(data_dir) / "axis_info.parquet"
    _require(path)
    names = (AIRS.time_column, FGS1.time_column, AIRS_WAVELENGTH_COLUMN, AIRS_INTEGRATION_COLUMN)
    try:
        table = pq.read_table(path)
    except Exception as error:  # pyarrow raises several unrelated classes for a broken file
        raise DataError("the file cannot be read", where=str(path), found=f"{type(error).__name__}: {error}",
                        expected="a Parquet file", fix="copy the file again") from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError("columns are missing", where=str(path), expected=", ".join(names),
                        found=", ".join(table.column_names), fix="use the competition's file")

    def column(name: str) -> np.ndarray:
        values = table.column(name).to_pandas().to_numpy(dtype=np.float64)
        return values[np.isfinite(values)]

    info = AxisInfo(*(column(name) for name in names))
    if len(info.airs_wavelength_um) != AIRS.columns:
        raise DataError("wrong number of AIRS wavelengths", where=f"{path}, {AIRS_WAVELENGTH_COLUMN}",
                        expected=str(AIRS.columns), found=str(len(info.airs_wavelength_um)),
                        fix="use the competition's file")
    return info


def read_adc_info(data_dir: str | Path) -> AdcInfo:
    """Gain and offset of the converters.

    Raises
    ------
    DataError
        Missing file or column, or a gain that is zero or not finite.
    """
    import pandas as pd

    path = Path(data_dir) / "adc_info.csv"
    _require(path)
    table = pd.read_csv(path)
    values = {}
    for instrument in (FGS1, AIRS):
        for what in ("offset", "gain"):
            name = f"{instrument.name}_adc_{what}"
            if name not in table.columns or len(table) < 1:
                raise DataError("a column is missing", where=str(path), expected=name,
                                found=", ".join(map(str, table.columns)), fix="use the competition's file")
            values[name] = float(table[name].iloc[0])
            if not np.isfinite(values[name]) or (what == "gain" and values[name] == 0.0):
                raise DataError("an impossible value", where=f"{path}, {name}", expected="a finite number, gain not zero",
                                found=repr(values[name]), fix="use the competition's file")
    return AdcInfo(fgs1_offset=values["FGS1_adc_offset"], fgs1_gain=values["FGS1_adc_gain"],
                   airs_offset=values["AIRS-CH0_adc_offset"], airs_gain=values["AIRS-CH0_adc_gain"])


def _planet_id(name: str) -> int | None:
    try:
        return int(float(name))
    except ValueError:
        return None


def _require(path: Path) -> None:
    if not path.is_file():
        raise DataError("a table of the competition is missing", where=str(path), expected=path.name,
                        found="no such file", fix="check data_dir")


def _read_csv(path: Path) -> pd.DataFrame:
    """A table indexed by planet_id; the test table writes ids as floats (``1103775.0``)."""
    import pandas as pd

    _require(path)
    table = pd.read_csv(path)
    if "planet_id" not in table.columns:
        raise DataError("no planet_id column", where=str(path), expected="planet_id", fix="use the competition's file",
                        found=", ".join(map(str, table.columns[:5])))
    table["planet_id"] = table["planet_id"].astype(float).round().astype("int64")
    return table.set_index("planet_id")
