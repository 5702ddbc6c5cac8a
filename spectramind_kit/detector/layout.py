"""Find and check the files of a copy of the competition's folder; its tables, under the names users know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit.detector.adc_info import AdcInfo, read_adc_info  # noqa: F401
from spectramind_kit.detector.axis_info import AxisInfo, read_axis_info  # noqa: F401
from spectramind_kit.detector.csv_table import Tell, first_few
from spectramind_kit.detector.file_errors import require_file
from spectramind_kit.detector.instrument import CALIBRATION_PRODUCTS, INSTRUMENTS, Instrument
from spectramind_kit.detector.shared_tables import SharedTables, read_shared_tables  # noqa: F401
from spectramind_kit.detector.spectra import read_labels  # noqa: F401
from spectramind_kit.detector.star_info import STAR_COLUMNS, read_star_info  # noqa: F401
from spectramind_kit.detector.wavelengths import read_wavelengths  # noqa: F401
from spectramind_kit.errors import DataError, nearest
from spectramind_kit.runtime import say_once

SPLITS = ("train", "test")
_SIGNAL_NAME = re.compile(r"^(?:AIRS-CH0|FGS1)_signal_(0|[1-9]\d{0,5})\.parquet$")
_PLANET_NAME = re.compile(r"^(0|[1-9]\d{0,18})(?:\.0)?$")


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
            expected, fix = ", ".join(CALIBRATION_PRODUCTS), nearest(product, CALIBRATION_PRODUCTS)
            raise DataError("unknown calibration product", found=repr(product), expected=expected, fix=fix)
        return self.folder / instrument.calibration_folder(self.visit) / f"{product}.parquet"

    @property
    def label(self) -> str:
        """For messages: ``planet 34983 visit 0 (train)``."""
        return f"planet {self.planet_id} visit {self.visit} ({self.split})"

    def all_files(self) -> list[Path]:
        paths = []
        for instrument in INSTRUMENTS:
            products = [self.calibration(instrument, product) for product in CALIBRATION_PRODUCTS]
            paths += [self.signal(instrument), *products]
        return paths

    def check(self) -> None:
        """Raise DataError naming the first file of this visit that is not there."""
        expected = "a signal and five calibration files of both FGS1 and AIRS-CH0"
        for path in self.all_files():
            require_file(path, "a file of this visit is missing", expected=expected, where=self.label)


def find_visits(data_dir: str | Path, split: str = "train", *, tell: Tell = say_once) -> list[VisitFiles]:
    """Every visit that has a signal file of either sensor, sorted by planet and visit.

    No table says which planets have two visits, so the folders are listed. A visit with one sensor only is
    returned too: its light curve has that sensor, and a flag that names the missing file. Only a number names
    a planet (``1103775``, also ``1103775.0``); what else lies there is ignored and told.

    Raises
    ------
    DataError
        Unknown split, no such folder, or no planet folder in it.
    """
    if split not in SPLITS:
        fix = nearest(split, SPLITS)
        raise DataError("unknown split", found=repr(split), expected="train or test", fix=fix)
    root = Path(data_dir) / split
    check = {"where": str(root), "expected": f"{split}/<planet_id>/ folders", "fix": "check data_dir"}
    if not root.is_dir():
        raise DataError("the split's folder was not found", found="no such folder", **check)
    planets: dict[int, Path] = {}
    ignored = []
    for entry in sorted(root.iterdir(), key=lambda path: (len(path.name), path.name)):  # 7 before 7.0
        # a link that leads nowhere is a planet that cannot be read: it keeps its row
        folder = entry.is_dir() or (entry.is_symlink() and not entry.exists())
        planet_id = _planet_id(entry.name) if folder else None
        if planet_id is None or planet_id in planets:
            ignored.append(entry.name)
        else:
            planets[planet_id] = entry
    seen = [name for name in ignored if not name.startswith(".")]
    if seen:
        what = "not a planet's folder, or a planet that is there already; ignored"
        tell(f"{split}/: {what}: {first_few(seen, 10)}")
    visits = []
    for planet_id, folder in planets.items():
        visits += [VisitFiles(planet_id, n, split, folder) for n in _visit_numbers(folder, split, tell)]
    if not visits:
        raise DataError("the split holds no planets", found="none", **check)
    return sorted(visits)


def _visit_numbers(folder: Path, split: str, tell: Tell) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:  # the planet still counts: reading it says what is wrong
        tell(f"{split}/{folder.name} cannot be listed: {error}")
        names = []
    signals = [name for name in names if "_signal_" in name and not name.startswith(".")]
    matches = {name: _SIGNAL_NAME.match(name) for name in signals}
    odd = sorted(name for name, match in matches.items() if match is None)
    if odd:
        tell(f"{split}/{folder.name}: not the name of a visit's signal, ignored: {', '.join(odd[:4])}")
    numbers = {int(match[1]) for match in matches.values() if match}
    # a planet folder without any signal still counts: it must be reported, not dropped
    return sorted(numbers or {0})


def _planet_id(name: str) -> int | None:
    """Only one spelling of a number is a planet: ``1e5``, ``inf``, ``7_1`` or ``007`` are copies."""
    match = _PLANET_NAME.match(name)
    return int(match[1]) if match and int(match[1]) < 2**63 else None
