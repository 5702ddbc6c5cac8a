"""Files as other tools export them and folders as they are copied, mounted and edited, on copies of a small
competition (`_small_competition`)."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._small_competition import (
    SPECTRUM,
    after,
    copy_of_the_data,
    open_run,
    stage,
    submit,
    words,
)
from robustness_cases.settings import parameter
from robustness_cases.tables import STARS, edit

# ---------------------------------------------------------------- files of the first test planet


def own_files(data: Path, *, split: str = "test", planet: int | None = None) -> Path:
    """The planet's folder, copied in place of its link."""
    link = data / split / str(stage().ids[0] if planet is None else planet)
    source = link.resolve()
    link.unlink()
    shutil.copytree(source, link)
    return link


def rewritten(change: Callable[[pd.DataFrame], pd.DataFrame], pattern: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        for path in sorted(own_files(data).rglob(pattern)):
            change(pd.read_parquet(path)).to_parquet(path, index=False)

    return damage


def numbers_as_texts(table: pd.DataFrame) -> pd.DataFrame:
    """Named 0, 1, 10, 100, …: what a tool that sorts names makes of it."""
    table = table.rename(columns=lambda name: name.removeprefix("column_"))
    return table[sorted(table.columns)]


def padded_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=lambda name: f"column_{int(name.removeprefix('column_')):05d}")


def with_row_number(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(row=range(len(table)))[["row", *table.columns]]


def link_that_leads_nowhere(data: Path) -> None:
    link = data / "test" / str(stage().ids[0])
    link.unlink()
    link.symlink_to(data / "not mounted")


def litter(data: Path) -> None:
    folder = own_files(data)
    for name in (
        "._FGS1_signal_0.parquet",
        ".FGS1_signal_0.parquet.crc",
        "AIRS-CH0_signal_0.parquet.part",
        "Thumbs.db",
    ):
        (folder / name).write_bytes(b"\0")
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        (data / "test" / name).mkdir()


# ---------------------------------------------------------------- tables


def stars(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda data: change(pd.read_csv(data / STARS)).to_csv(data / STARS, index=False)


def stamps_in_seconds(data: Path) -> None:
    table = pd.read_parquet(data / "axis_info.parquet")
    times = [name for name in table if name.endswith("-h")]
    table.assign(**(3600.0 * table[times])).to_parquet(data / "axis_info.parquet")


def turned_offset(data: Path) -> None:
    table = pd.read_csv(data / "adc_info.csv")
    table.assign(**{name: -table[name] for name in table if name.endswith("offset")}).to_csv(
        data / "adc_info.csv", index=False
    )


def star_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(name=[f"star {k}, of the south" for k in range(len(table))])[["name", *table.columns]]


def trained_with(
    change: Callable[[pd.DataFrame], pd.DataFrame], *, lost: int | None
) -> Callable[[Path], Outcome]:
    """02_train on a changed train.csv: refused with a word where ``lost`` is None, else without so many
    planets."""

    def run(scratch: Path) -> Outcome:
        from spectramind_kit.detector import read_star_info
        from spectramind_kit.errors import DataError
        from spectramind_kit.training.anchors import cross_fit_anchors, measure_planets
        from spectramind_kit.training.labels import train_labels
        from spectramind_kit.training.light_curves import extract_light_curves

        data = copy_of_the_data(scratch)
        change(pd.read_csv(data / "train.csv")).to_csv(data / "train.csv", index=False)
        folder = open_run(scratch / "run", data, stage_name="train", earlier=[stage().train])
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            curves = extract_light_curves(folder, "train")
            labels = train_labels(folder, curves)
            measured = measure_planets(folder, curves, stars=read_star_info(data, "train"), split="train")
            try:
                anchors = cross_fit_anchors(folder, measured, labels=labels)
            except DataError as error:
                return Outcome(
                    said=f"DataError: {error}"[:160], wrong=lost is not None, note="an error that says so"
                )
        gone = len(labels.planet_ids) - len(anchors.planet_ids)
        told = next((line for line in said.getvalue().splitlines() if line.startswith("left out")), "")
        return Outcome(
            said=told, wrong=gone != lost, note=f"{gone} of {len(labels.planet_ids)} planets not learned from"
        )

    return run


def radius_ratios(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{name: np.sqrt(table[name]) for name in SPECTRUM})


def two_rows_exchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Of the shallowest planet and the deepest."""
    level = table[SPECTRUM].mean(axis=1)
    rows = [level.idxmin(), level.idxmax()]
    table.loc[rows, SPECTRUM] = table.loc[rows[::-1], SPECTRUM].to_numpy()
    return table


# ---------------------------------------------------------------- the run's folder


def run_json(content: bytes) -> Callable[[Path], Outcome]:
    """03_submit in a folder with such a ``run.json``."""

    def run(scratch: Path) -> Outcome:
        (scratch / "run").mkdir()
        (scratch / "run" / "run.json").write_bytes(content)
        try:
            found = submit(scratch / "run", stage().data, earlier=[stage().train, stage().curves])
        except Exception as error:
            return Outcome(raised=f"{type(error).__name__}: {error}"[:200], wrong=True)
        change = float(np.abs(found.to_numpy() / stage().undamaged.loc[found.index].to_numpy() - 1.0).max())
        return Outcome(wrong=change > 1e-6, said=words(scratch / "run"), note=f"as ever, to {change:.0e}")

    return run


_MAPS = "*_calibration_0/*.parquet"
_KIND = "other tools' exports"
CASES = [
    Case(
        "pixel columns named 0 … n and sorted as texts",
        _KIND,
        "each pixel taken for another, silently",
        after(rewritten(numbers_as_texts, "*_signal_0.parquet"), frames=True, concerns=[0], close=0.01),
    ),
    Case(
        "columns of the calibration maps sorted as texts",
        _KIND,
        "bins off by 0.3 errors, silently",
        after(rewritten(numbers_as_texts, _MAPS), frames=True, concerns=[0], close=0.01),
    ),
    Case(
        "columns named column_00000 …",
        _KIND,
        "planet naive: 'wrong number of pixel columns, expected 1024, found 1024'",
        after(rewritten(padded_names, "*_signal_0.parquet"), frames=True, concerns=[0], close=0.01),
    ),
    Case(
        "calibration maps with a row number beside the pixels",
        _KIND,
        "planet naive: 'wrong shape … copy the file again'",
        after(rewritten(with_row_number, _MAPS), frames=True, concerns=[0], close=0.01),
    ),
    Case(
        "files of other systems beside the signals", _KIND, "right, nothing said", after(litter, frames=True)
    ),
    Case(
        "a planet's folder is a link that leads nowhere",
        _KIND,
        "no row for the planet in submission.csv, silently",
        after(link_that_leads_nowhere, frames=True, concerns=[0]),
    ),
    Case(
        "star table with periods in hours",
        _KIND,
        "errors of 14,712 ppm instead of 85, silently",
        after(stars(lambda t: t.assign(P=24.0 * t["P"])), concerns=range(4), close=0.5),
    ),
    Case(
        "star table with a line of remarks",
        _KIND,
        "no row of the table found; medians",
        after(edit(STARS, lambda t: "# exported by hand\n" + t)),
    ),
    Case(
        "star table with quoted names that hold a comma",
        _KIND,
        "the whole chunk lost its anchors",
        after(stars(star_names)),
    ),
    Case(
        "star table with ids of visits, `<id>_0`",
        _KIND,
        "no row of the table found; medians",
        after(
            stars(lambda t: t.assign(planet_id=[f"{int(p)}_0" for p in t["planet_id"]])),
            concerns=range(4),
            close=0.5,
        ),
    ),
    Case(
        "no wavelengths.csv",
        _KIND,
        "`RunFolder.open` raised",
        after(lambda data: (data / "wavelengths.csv").unlink(), frames=True),
    ),
    Case(
        "time stamps in seconds",
        _KIND,
        "errors of 18,000 ppm instead of 85, silently",
        after(stamps_in_seconds, frames=True, concerns=range(4)),
    ),
    Case(
        "adc_info.csv with the offset's sign turned",
        _KIND,
        "bins off by 5 errors, silently",
        after(turned_offset, frames=True, concerns=range(4)),
    ),
    Case("labels are radius ratios", _KIND, "trained on, silently", trained_with(radius_ratios, lost=None)),
    Case(
        "labels in the rows of other planets",
        _KIND,
        "trained on, silently",
        trained_with(lambda t: t.assign(planet_id=np.roll(t["planet_id"], 1)), lost=None),
    ),
    Case(
        "two planets' labels exchanged",
        _KIND,
        "trained on, silently",
        trained_with(two_rows_exchanged, lost=2),
    ),
    Case("run.json holds a list", _KIND, "`RunFolder.open` raised", run_json(b"[1]")),
    Case("run.json is not UTF-8", _KIND, "`RunFolder.open` raised", run_json(b'{"note": "\xe9"}')),
    Case("seed=-1", _KIND, "a bare ValueError in 02_train, after the anchors", parameter("seed", "-1")),
]
