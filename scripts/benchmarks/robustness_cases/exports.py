"""Files as other tools export them and folders as they are copied, mounted and edited, on copies of a small
competition (`_small_competition`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._damage import STARS, Damage, edit, own_files, rewritten, table
from robustness_cases._small_competition import after, change_of, stage, submit, words
from robustness_cases.settings import parameter

# ---------------------------------------------------------------- files of the first test planet


def _numbers_as_texts(frames: pd.DataFrame) -> pd.DataFrame:
    """Named 0, 1, 10, 100, …: what a tool that sorts names makes of it."""
    frames = frames.rename(columns=lambda name: name.removeprefix("column_"))
    return frames[sorted(frames.columns)]


def _padded_names(frames: pd.DataFrame) -> pd.DataFrame:
    return frames.rename(columns=lambda name: f"column_{int(name.removeprefix('column_')):05d}")


def _with_row_number(frames: pd.DataFrame) -> pd.DataFrame:
    return frames.assign(row=range(len(frames)))[["row", *frames.columns]]


def _link_that_leads_nowhere(data: Path) -> None:
    link = data / "test" / str(stage().ids[0])
    link.unlink()
    link.symlink_to(data / "not mounted")


def _litter(data: Path) -> None:
    folder = own_files(data)
    for name in ("._FGS1_signal_0.parquet", ".FGS1_signal_0.parquet.crc", "AIRS-CH0_signal_0.parquet.part"):
        (folder / name).write_bytes(b"\0")
    (folder / "Thumbs.db").write_bytes(b"\0")
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        (data / "test" / name).mkdir()


# ---------------------------------------------------------------- tables


def _stars(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    return table(STARS, change)


def _ids_of_visits(stars: pd.DataFrame) -> pd.DataFrame:
    return stars.assign(planet_id=[f"{int(p)}_0" for p in stars["planet_id"]])


def _names_with_commas(stars: pd.DataFrame) -> pd.DataFrame:
    return stars.assign(name=[f"star {k}, of the south" for k in range(len(stars))])[["name", *stars.columns]]


def _stamps_in_seconds(data: Path) -> None:
    axis = pd.read_parquet(data / "axis_info.parquet")
    times = [name for name in axis if name.endswith("-h")]
    axis.assign(**(3600.0 * axis[times])).to_parquet(data / "axis_info.parquet")


def _turned_offset(adc: pd.DataFrame) -> pd.DataFrame:
    return adc.assign(**{name: -adc[name] for name in adc if name.endswith("offset")})


# ---------------------------------------------------------------- the run's folder


def _run_json(content: bytes) -> Callable[[Path], Outcome]:
    """03_submit in a folder with such a ``run.json``."""

    def run(scratch: Path) -> Outcome:
        (scratch / "run").mkdir()
        (scratch / "run" / "run.json").write_bytes(content)
        try:
            found = submit(scratch / "run", stage().data, earlier=[stage().train, stage().curves])
        except Exception as error:
            return Outcome(raised=f"{type(error).__name__}: {error}"[:200], wrong=True)
        change = change_of(found)
        return Outcome(wrong=change > 1e-6, said=words(scratch / "run"), note=f"as ever, to {change:.0e}")

    return run


_SIGNALS, _MAPS = "*_signal_0.parquet", "*_calibration_0/*.parquet"
_FIRST = dict(frames=True, concerns=[0], close=0.01)
_ALL = range(4)
_CASES = (
    (
        "pixel columns named 0 … n and sorted as texts",
        "each pixel taken for another, silently",
        after(rewritten(_numbers_as_texts, _SIGNALS), **_FIRST),
    ),
    (
        "columns of the calibration maps sorted as texts",
        "bins off by 0.3 errors, silently",
        after(rewritten(_numbers_as_texts, _MAPS), **_FIRST),
    ),
    (
        "columns named column_00000 …",
        "planet naive: 'wrong number of pixel columns, expected 1024, found 1024'",
        after(rewritten(_padded_names, _SIGNALS), **_FIRST),
    ),
    (
        "calibration maps with a row number beside the pixels",
        "planet naive: 'wrong shape … copy the file again'",
        after(rewritten(_with_row_number, _MAPS), **_FIRST),
    ),
    ("files of other systems beside the signals", "right, nothing said", after(_litter, frames=True)),
    (
        "a planet's folder is a link that leads nowhere",
        "no row for the planet in submission.csv, silently",
        after(_link_that_leads_nowhere, frames=True, concerns=[0]),
    ),
    (
        "star table with periods in hours",
        "errors of 14,712 ppm instead of 85, silently",
        after(_stars(lambda t: t.assign(P=24.0 * t["P"])), concerns=_ALL, close=0.5),
    ),
    (
        "star table with a line of remarks",
        "no row of the table found; medians",
        after(edit(STARS, lambda t: "# exported by hand\n" + t)),
    ),
    (
        "star table with quoted names that hold a comma",
        "the whole chunk lost its anchors",
        after(_stars(_names_with_commas)),
    ),
    (
        "star table with ids of visits, `<id>_0`",
        "no row of the table found; medians",
        after(_stars(_ids_of_visits), concerns=_ALL, close=0.5),
    ),
    (
        "no wavelengths.csv",
        "`RunFolder.open` raised",
        after(lambda data: (data / "wavelengths.csv").unlink(), frames=True),
    ),
    (
        "time stamps in seconds",
        "errors of 18,000 ppm instead of 85, silently",
        after(_stamps_in_seconds, frames=True, concerns=_ALL),
    ),
    (
        "adc_info.csv with the offset's sign turned",
        "bins off by 5 errors, silently",
        after(table("adc_info.csv", _turned_offset), frames=True, concerns=_ALL),
    ),
    ("run.json holds a list", "`RunFolder.open` raised", _run_json(b"[1]")),
    ("run.json is not UTF-8", "`RunFolder.open` raised", _run_json(b'{"note": "\xe9"}')),
    ("seed=-1", "a bare ValueError in 02_train, after the anchors", parameter("seed", "-1")),
)
CASES = [Case(name, "other tools' exports", before, run) for name, before, run in _CASES]
