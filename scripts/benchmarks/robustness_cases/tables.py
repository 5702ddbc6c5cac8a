"""Tables and folders as people have them, on copies of a small competition (`_small_competition`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._small_competition import (
    SPECTRUM,
    TABLES,
    after,
    copy_of_the_data,
    open_run,
    stage,
    submit,
    words,
)

# ---------------------------------------------------------------- damages


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda data: (data / name).write_text(change((data / name).read_text()))


def content(name: str, value: bytes) -> Callable[[Path], object]:
    return lambda data: (data / name).write_bytes(value)


def one_cell(text: str, *, row: int, column: int, value: str) -> str:
    lines = text.splitlines()
    cells = lines[row].split(",")
    cells[column] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines) + "\n"


def bad_byte(data: Path) -> None:
    path = data / "test_star_info.csv"
    lines = path.read_bytes().splitlines()
    cells = lines[1].split(b",")
    cells[7] = cells[7] + b"\xff"
    lines[1] = b",".join(cells)
    path.write_bytes(b"\n".join(lines) + b"\n")


def own_converters(data: Path) -> None:
    """The second test planet behind another converter, and adc_info.csv with a row per planet."""
    rows = [
        {
            "planet_id": p,
            "FGS1_adc_offset": -1000.0,
            "FGS1_adc_gain": 0.4369,
            "AIRS-CH0_adc_offset": -1000.0,
            "AIRS-CH0_adc_gain": 0.4369,
        }
        for p in stage().ids
    ]
    rows[1] |= {"FGS1_adc_gain": 0.4369 * 2.0, "AIRS-CH0_adc_gain": 0.4369 * 2.0}
    pd.DataFrame(rows).to_csv(data / "adc_info.csv", index=False)
    change_frames(data, stage().ids[1], lambda values, sensor: np.floor(values * 2.0).astype(np.uint16))


def mirrored_detector(data: Path) -> None:
    """The AIRS-CH0 columns of every test planet in the other order, and axis_info.parquet with them."""
    axis = pd.read_parquet(data / "axis_info.parquet")
    um = axis["AIRS-CH0-axis2-um"].to_numpy(copy=True)
    um[:356] = um[:356][::-1]
    axis.assign(**{"AIRS-CH0-axis2-um": um}).to_parquet(data / "axis_info.parquet", index=False)

    def mirror(values: np.ndarray, sensor: str) -> np.ndarray:
        return (
            values.reshape(len(values), -1, 356)[..., ::-1].reshape(values.shape)
            if sensor == "AIRS-CH0"
            else values
        )

    for planet in stage().ids:
        change_frames(data, planet, mirror, mirror_maps=True)


def mirrored_axis_alone(data: Path) -> None:
    """axis_info.parquet says the other direction, the frames do not: the colour of the star tells which of
    them is right."""
    axis = pd.read_parquet(data / "axis_info.parquet")
    um = axis["AIRS-CH0-axis2-um"].to_numpy(copy=True)
    um[:356] = um[:356][::-1]
    axis.assign(**{"AIRS-CH0-axis2-um": um}).to_parquet(data / "axis_info.parquet", index=False)


def descending_wavelengths(data: Path) -> None:
    """wl_2 the longest wavelength: light curves, spectra and prior follow the names, so the truth is mirrored
    with them."""
    table = pd.read_csv(data / "wavelengths.csv")
    table.loc[0, SPECTRUM[1:]] = table.loc[0, SPECTRUM[1:]].to_numpy()[::-1]
    table.to_csv(data / "wavelengths.csv", index=False)


def descending_submission(scratch: Path) -> Outcome:
    """The submission's wl_k are those of the table, also where the bundle was trained on the usual order."""
    made = stage()
    data = copy_of_the_data(scratch)
    descending_wavelengths(data)
    found = submit(scratch / "run", data, earlier=[made.train])
    order = [0, *range(282, 0, -1)]
    columns = [*(SPECTRUM[k] for k in order), *(f"sigma_{k + 1}" for k in order)]
    change = float(np.abs(found[columns].to_numpy() / made.undamaged.loc[found.index].to_numpy() - 1.0).max())
    wrong = change > 1e-3
    return Outcome(
        said="" if wrong else words(scratch / "run"),
        wrong=wrong,
        note=f"each depth under its wavelength, to {change:.0e}",
    )


def change_frames(
    data: Path, planet: int, change: Callable[[np.ndarray, str], np.ndarray], *, mirror_maps: bool = False
) -> None:
    """Copies of the planet's files with changed signals; ``mirror_maps``: the AIRS-CH0 calibration's columns
    in the other order."""
    from spectramind_kit.simulator.writer import write_matrix

    link = data / "test" / str(planet)
    source = link.resolve()
    link.unlink()
    shutil.copytree(source, link)
    for path in sorted(link.rglob("*.parquet")):
        sensor = "AIRS-CH0" if "AIRS-CH0" in str(path.relative_to(link)) else "FGS1"
        values = pd.read_parquet(path).to_numpy()
        if "_signal_" in path.name:
            values = change(values, sensor)
        elif mirror_maps and sensor == "AIRS-CH0":
            values = values[:, ::-1]
        write_matrix(path, np.ascontiguousarray(values))


def stray_folders(data: Path) -> None:
    first = str(stage().ids[0])
    for name in (f"{first}_1", "inf", "nan", "1e5", "007", f"{first}.0", ".cache", "notes"):
        (data / "test" / name).mkdir()
    (data / "test" / "999").write_text("a file")


def odd_visit_names(data: Path) -> None:
    planet = stage().ids[0]
    link = data / "test" / str(planet)
    source = link.resolve()
    link.unlink()
    shutil.copytree(source, link)
    shutil.copy(link / "FGS1_signal_0.parquet", link / "FGS1_signal_00.parquet")
    shutil.copy(link / "FGS1_signal_0.parquet", link / "FGS1_signal_0 (1).parquet")


def empty_test_folder(data: Path) -> None:
    shutil.rmtree(data / "test")
    (data / "test").mkdir()


def nothing_at_all(data: Path) -> None:
    empty_test_folder(data)
    for name in ("test_star_info.csv", "sample_submission.csv"):
        (data / name).write_bytes(b"")


def every_table_damaged(data: Path) -> None:
    for name in TABLES:
        (data / name).write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")


# ---------------------------------------------------------------- labels and truth


def labels_after(damage: Callable[[Path], object], *, lost: int) -> Callable[[Path], Outcome]:
    """`train_labels` against the undamaged table: each planet its own spectrum, ``lost`` planets left out by
    name."""

    def run(scratch: Path) -> Outcome:
        from spectramind_kit.training.labels import train_labels

        made = stage()
        data = copy_of_the_data(scratch)
        damage(data)
        true = pd.read_csv(made.data / "train.csv").set_index("planet_id")
        folder = open_run(scratch / "run", data)
        try:
            labels = train_labels(folder, [int(p) for p in true.index])
        except Exception as error:
            told = type(error).__name__ == "DataError"
            return Outcome(
                said=f"DataError: {error}".replace(f"{scratch}/", "")[:160] if told else "",
                wrong=not told,
                note="an error that says so" if told else repr(error)[:100],
            )
        wrong = int((np.abs(labels.depth - true.loc[labels.planet_ids].to_numpy()).max(axis=1) > 1e-9).sum())
        gone = len(true) - len(labels.planet_ids)
        return Outcome(
            said=words(scratch / "run"),
            wrong=bool(wrong) or gone != lost,
            note=f"{wrong} planets with another's spectrum, {gone} left out of {len(true)}",
        )

    return run


def doubled_label(data: Path) -> None:
    lines = (data / "train.csv").read_text().splitlines()
    (data / "train.csv").write_text("\n".join([*lines[:3], lines[2], *lines[3:]]) + "\n")


def contradicting_label(data: Path) -> None:
    lines = (data / "train.csv").read_text().splitlines()
    other = lines[2].split(",")[0] + "," + lines[4].split(",", 1)[1]
    (data / "train.csv").write_text("\n".join([*lines[:3], other, *lines[3:]]) + "\n")


def scaled_labels(data: Path) -> None:
    table = pd.read_csv(data / "train.csv")
    table[SPECTRUM] *= 100.0
    table.to_csv(data / "train.csv", index=False)


def training_stars(scratch: Path) -> Outcome:
    """A ``--`` in the train planets' star table: `measure_planets` goes on, that planet with medians."""
    from spectramind_kit.detector import read_star_info
    from spectramind_kit.training.anchors import measure_planets
    from spectramind_kit.training.light_curves import extract_light_curves

    made = stage()
    data = copy_of_the_data(scratch)
    edit("train_star_info.csv", lambda t: one_cell(t, row=1, column=7, value="--"))(data)
    run = open_run(scratch / "run", data, earlier=[made.train.parent / "none"])
    planets = sorted(int(p.name) for p in (data / "train").iterdir())[:2]
    (scratch / "curves").mkdir()
    (scratch / "curves" / "store").symlink_to(made.train / "store")
    run.earlier = (scratch / "curves",)
    try:
        curves = extract_light_curves(run, "train", planet_ids=planets)
        measured = measure_planets(
            run, curves, stars=read_star_info(data, "train", tell=run.tell), split="train"
        ).measurements
    except Exception as error:
        return Outcome(wrong=True, note=f"{type(error).__name__}: {error}"[:150])
    flagged = [p for p, m in measured.items() if "star table incomplete" in m.flags]
    return Outcome(
        said=words(scratch / "run"),
        wrong=len(flagged) != 1 or len(measured) != 2,
        note=f"{len(measured)} of 2 measured, {len(flagged)} flagged 'star table incomplete'",
    )


def doubled_truth(scratch: Path) -> Outcome:
    """A truth with one planet twice: the scores are those of the plain truth."""
    from spectramind_kit.inference.score import score_run

    made = stage()
    plain = made.truth.reset_index()
    scores = []
    for name, table in (("plain", plain), ("doubled", pd.concat([plain.iloc[[1]], plain]))):
        data = copy_of_the_data(scratch / name)
        submit(scratch / name / "run", data, earlier=[made.train, made.curves])
        run = open_run(scratch / name / "run", data)
        run.record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
        table.to_csv(scratch / name / "truth.csv", index=False)
        scores.append(score_run(scratch / name / "run", scratch / name / "truth.csv")["submission"])
    return Outcome(
        wrong=abs(scores[0] - scores[1]) > 1e-12, note=f"score {scores[1]:.4f} against {scores[0]:.4f}"
    )


STARS = "test_star_info.csv"
CASES = [
    Case(
        "one planet twice in train.csv",
        "tables",
        "57 of 60 planets with another planet's spectrum, silently",
        labels_after(doubled_label, lost=0),
    ),
    Case(
        "one planet twice in train.csv, with different depths",
        "tables",
        "57 of 60 planets with another planet's spectrum, silently",
        labels_after(contradicting_label, lost=1),
    ),
    Case(
        "labels with a negative depth, and one `--`",
        "tables",
        "a negative depth was trained on; the `--`: a bare ValueError",
        labels_after(
            lambda d: (
                edit("train.csv", lambda t: one_cell(t, row=1, column=5, value="-0.01"))(d),
                edit("train.csv", lambda t: one_cell(t, row=3, column=9, value="--"))(d),
            ),
            lost=2,
        ),
    ),
    Case("labels in per cent", "tables", "trained on, silently", labels_after(scaled_labels, lost=0)),
    Case(
        "star table with a trailing `,,,,` row",
        "tables",
        "`predict_test` raised",
        after(edit(STARS, lambda t: t + ",,,,,,,,\n")),
    ),
    Case(
        "star table of zero bytes",
        "tables",
        "`predict_test` raised",
        after(content(STARS, b""), concerns=range(4)),
    ),
    Case(
        "star table with one byte that is not UTF-8",
        "tables",
        "`predict_test` raised",
        after(bad_byte, concerns=[0]),
    ),
    Case(
        "star table with one row twice",
        "tables",
        "the whole chunk lost its anchors",
        after(edit(STARS, lambda t: t + t.splitlines()[1] + "\n")),
    ),
    Case(
        "star table with one planet twice, with different orbits",
        "tables",
        "the whole chunk lost its anchors",
        after(
            edit(STARS, lambda t: t + one_cell(t, row=1, column=7, value="19.0").splitlines()[1] + "\n"),
            concerns=[0],
        ),
    ),
    Case(
        "star table with a `--`",
        "tables",
        "the whole chunk lost its anchors",
        after(edit(STARS, lambda t: one_cell(t, row=2, column=7, value="--")), concerns=[1]),
    ),
    Case(
        "star table with semicolons and decimal commas",
        "tables",
        "the orbits lost, silently",
        after(edit(STARS, lambda t: t.replace(",", ";").replace(".", ","))),
    ),
    Case(
        "star table without a planet_id for one row",
        "tables",
        "`predict_test` raised",
        after(edit(STARS, lambda t: one_cell(t, row=1, column=0, value="")), concerns=[0]),
    ),
    Case("`--` in the train star table", "tables", "a bare TypeError in 02_train", training_stars),
    Case(
        "wavelengths.csv of zero bytes",
        "tables",
        "`predict_test` raised",
        after(content("wavelengths.csv", b""), frames=True),
    ),
    Case(
        "wavelengths.csv with its columns shuffled",
        "tables",
        "all planets naive",
        after(
            lambda d: pd.read_csv(d / "wavelengths.csv")[[*SPECTRUM[100:], *SPECTRUM[:100]]].to_csv(
                d / "wavelengths.csv", index=False
            ),
            frames=True,
        ),
    ),
    Case(
        "adc_info.csv of zero bytes",
        "tables",
        "all planets naive",
        after(content("adc_info.csv", b""), frames=True),
    ),
    Case(
        "adc_info.csv with a row per planet",
        "tables",
        "the first row for all: score 0.41 instead of 0.67",
        after(own_converters, frames=True, concerns=[1], close=0.1),
    ),
    Case(
        "AIRS-CH0 columns in the other direction, frames and axis",
        "tables",
        "a mirrored spectrum, silently",
        after(mirrored_detector, frames=True, concerns=range(4), close=0.5),
    ),
    Case(
        "AIRS-CH0 axis in the other direction, frames as ever",
        "tables",
        "right, and the axis was not looked at",
        after(mirrored_axis_alone, frames=True, concerns=range(4), close=0.5),
    ),
    Case(
        "wavelengths.csv in descending order",
        "tables",
        "a mirrored spectrum, silently",
        descending_submission,
    ),
    Case(
        "stray folders `<id>_1`, `inf`, `1e5`, `007`, `<id>.0` in test/",
        "tables",
        "a phantom planet, or raised before the fallback",
        after(stray_folders),
    ),
    Case("signals named _00 and `_0 (1)`", "tables", "right, nothing said", after(odd_visit_names)),
    Case(
        "sample_submission.csv is a picture",
        "tables",
        "right, nothing said",
        after(content("sample_submission.csv", b"\x89PNG\r\n\x1a\n\0\0\xff\xfe\0IHDR")),
    ),
    Case(
        "an empty test/ folder",
        "tables",
        "raised before the fallback",
        after(empty_test_folder, concerns=range(4)),
    ),
    Case(
        "no test planet named anywhere",
        "tables",
        "raised before the fallback",
        after(nothing_at_all, rows=()),
    ),
    Case(
        "every table is a picture",
        "tables",
        "raised",
        after(every_table_damaged, frames=True, concerns=range(4)),
    ),
    Case(
        "no bundle, and a star table of zero bytes",
        "tables",
        "`predict_test` raised",
        after(content(STARS, b""), bundle=False, frames=True, concerns=range(4)),
    ),
    Case("--truth with one planet twice", "tables", "a bare ValueError", doubled_truth),
]
