"""Star tables, wavelengths and converters as people have them, on copies of a small competition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._damage import STARS, change_files, content, edit, one_cell, own_files, table
from robustness_cases._small_competition import (
    SPECTRUM,
    TABLES,
    after,
    change_of,
    copy_of_the_data,
    stage,
    submit,
    words,
)

_ALL = range(4)  # the numbers of all test planets
_PICTURE = b"\x89PNG\r\n\x1a\n\0\0"


def _bad_byte(data: Path) -> None:
    path = data / STARS
    lines = path.read_bytes().splitlines()
    cells = lines[1].split(b",")
    cells[7] = cells[7] + b"\xff"
    lines[1] = b",".join(cells)
    path.write_bytes(b"\n".join(lines) + b"\n")


def _second_orbit(text: str) -> str:
    return text + one_cell(text, row=1, column=7, value="19.0").splitlines()[1] + "\n"


def _own_converters(data: Path) -> None:
    """The second test planet behind another converter, and adc_info.csv with a row per planet."""
    sensors, second = ("FGS1", "AIRS-CH0"), stage().ids[1]
    rows = [
        {"planet_id": planet}
        | {f"{sensor}_adc_offset": -1000.0 for sensor in sensors}
        | {f"{sensor}_adc_gain": 0.4369 * (2.0 if planet == second else 1.0) for sensor in sensors}
        for planet in stage().ids
    ]
    pd.DataFrame(rows).to_csv(data / "adc_info.csv", index=False)
    files = own_files(data, planet=second)
    change_files(files, "*_signal_*.parquet", lambda values: np.floor(values * 2.0).astype(np.uint16))


def _mirrored_axis(data: Path) -> None:
    """axis_info.parquet alone in the other direction: the colour of the star tells which of them is right."""
    axis = pd.read_parquet(data / "axis_info.parquet")
    um = axis["AIRS-CH0-axis2-um"].to_numpy(copy=True)
    um[:356] = um[:356][::-1]
    axis.assign(**{"AIRS-CH0-axis2-um": um}).to_parquet(data / "axis_info.parquet", index=False)


def _mirrored_detector(data: Path) -> None:
    """The AIRS-CH0 columns of every test planet in the other order, and axis_info.parquet with them."""

    def mirror(signal: np.ndarray) -> np.ndarray:
        return signal.reshape(len(signal), -1, 356)[..., ::-1].reshape(signal.shape)

    _mirrored_axis(data)
    for planet in stage().ids:
        files = own_files(data, planet=planet)
        change_files(files, "AIRS-CH0_signal_*.parquet", mirror)
        change_files(files, "AIRS-CH0_calibration_*/*.parquet", lambda values: values[:, ::-1])


def _shuffled(wavelengths: pd.DataFrame) -> pd.DataFrame:
    return wavelengths[[*SPECTRUM[100:], *SPECTRUM[:100]]]


def _descending(wavelengths: pd.DataFrame) -> pd.DataFrame:
    """wl_2 the longest: light curves, spectra and prior follow the names, the truth is mirrored with them."""
    wavelengths.loc[0, SPECTRUM[1:]] = wavelengths.loc[0, SPECTRUM[1:]].to_numpy()[::-1]
    return wavelengths


def _descending_submission(scratch: Path) -> Outcome:
    """The submission's wl_k are those of the table, also where the bundle was trained on the usual order."""
    data = copy_of_the_data(scratch)
    table("wavelengths.csv", _descending)(data)
    found = submit(scratch / "run", data, earlier=[stage().train])
    order = [0, *range(282, 0, -1)]
    turned = found[[*(SPECTRUM[k] for k in order), *(f"sigma_{k + 1}" for k in order)]]
    change = change_of(turned)
    wrong = change > 1e-3
    note = f"each depth under its wavelength, to {change:.0e}"
    return Outcome(said="" if wrong else words(scratch / "run"), wrong=wrong, note=note)


def _every_table_damaged(data: Path) -> None:
    for name in TABLES:
        (data / name).write_bytes(_PICTURE + b"\0\rIHDR")


_RAISED, _LOST = "`predict_test` raised", "the whole chunk lost its anchors"
_CASES = (
    ("star table with a trailing `,,,,` row", _RAISED, after(edit(STARS, lambda t: t + ",,,,,,,,\n"))),
    ("star table of zero bytes", _RAISED, after(content(STARS, b""), concerns=_ALL)),
    ("star table with one byte that is not UTF-8", _RAISED, after(_bad_byte, concerns=[0])),
    ("star table with one row twice", _LOST, after(edit(STARS, lambda t: t + t.splitlines()[1] + "\n"))),
    (
        "star table with one planet twice, with different orbits",
        _LOST,
        after(edit(STARS, _second_orbit), concerns=[0]),
    ),
    (
        "star table with a `--`",
        _LOST,
        after(edit(STARS, lambda t: one_cell(t, row=2, column=7, value="--")), concerns=[1]),
    ),
    (
        "star table with semicolons and decimal commas",
        "the orbits lost, silently",
        after(edit(STARS, lambda t: t.replace(",", ";").replace(".", ","))),
    ),
    (
        "star table without a planet_id for one row",
        _RAISED,
        after(edit(STARS, lambda t: one_cell(t, row=1, column=0, value="")), concerns=[0]),
    ),
    ("wavelengths.csv of zero bytes", _RAISED, after(content("wavelengths.csv", b""), frames=True)),
    (
        "wavelengths.csv with its columns shuffled",
        "all planets naive",
        after(table("wavelengths.csv", _shuffled), frames=True),
    ),
    ("adc_info.csv of zero bytes", "all planets naive", after(content("adc_info.csv", b""), frames=True)),
    (
        "adc_info.csv with a row per planet",
        "the first row for all: score 0.41 instead of 0.67",
        after(_own_converters, frames=True, concerns=[1], close=0.1),
    ),
    (
        "AIRS-CH0 columns in the other direction, frames and axis",
        "a mirrored spectrum, silently",
        after(_mirrored_detector, frames=True, concerns=_ALL, close=0.5),
    ),
    (
        "AIRS-CH0 axis in the other direction, frames as ever",
        "right, and the axis was not looked at",
        after(_mirrored_axis, frames=True, concerns=_ALL, close=0.5),
    ),
    ("wavelengths.csv in descending order", "a mirrored spectrum, silently", _descending_submission),
    (
        "sample_submission.csv is a picture",
        "right, nothing said",
        after(content("sample_submission.csv", _PICTURE + b"\xff\xfe\0IHDR")),
    ),
    ("every table is a picture", "raised", after(_every_table_damaged, frames=True, concerns=_ALL)),
    (
        "no bundle, and a star table of zero bytes",
        _RAISED,
        after(content(STARS, b""), bundle=False, frames=True, concerns=_ALL),
    ),
)
CASES = [Case(name, "tables", before, run) for name, before, run in _CASES]
