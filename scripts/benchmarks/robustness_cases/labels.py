"""Labels and truths as people have them, on copies of a small competition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Case, Outcome
from robustness_cases._cells import open_run
from robustness_cases._damage import Damage, edit, one_cell, table
from robustness_cases._said import captured
from robustness_cases._small_competition import SPECTRUM, copy_of_the_data, stage, submit, words

# ---------------------------------------------------------------- read


def labels_after(damage: Damage, *, lost: int) -> Callable[[Path], Outcome]:
    """`train_labels` against the undamaged table: each planet its own spectrum, ``lost`` planets left out by
    name."""

    def run(scratch: Path) -> Outcome:
        from spectramind_kit.errors import DataError
        from spectramind_kit.training.labels import train_labels

        data = copy_of_the_data(scratch)
        damage(data)
        true = pd.read_csv(stage().data / "train.csv").set_index("planet_id")
        folder = open_run(scratch / "run", data, "submit")
        try:
            labels = train_labels(folder, [int(p) for p in true.index])
        except DataError as error:
            said = f"DataError: {error}".replace(f"{scratch}/", "")[:160]
            return Outcome(said=said, note="an error that says so")
        except Exception as error:
            return Outcome(wrong=True, note=repr(error)[:100])
        off = np.abs(labels.depth - true.loc[labels.planet_ids].to_numpy()).max(axis=1)
        wrong, gone = int((off > 1e-9).sum()), len(true) - len(labels.planet_ids)
        note = f"{wrong} planets with another's spectrum, {gone} left out of {len(true)}"
        return Outcome(said=words(scratch / "run"), wrong=bool(wrong) or gone != lost, note=note)

    return run


def _doubled(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:3], lines[2], *lines[3:]]) + "\n"


def _contradicting(text: str) -> str:
    lines = text.splitlines()
    other = lines[2].split(",")[0] + "," + lines[4].split(",", 1)[1]
    return "\n".join([*lines[:3], other, *lines[3:]]) + "\n"


def _two_bad_cells(text: str) -> str:
    return one_cell(one_cell(text, row=1, column=5, value="-0.01"), row=3, column=9, value="--")


def _in_per_cent(labels: pd.DataFrame) -> pd.DataFrame:
    return labels.assign(**{name: 100.0 * labels[name] for name in SPECTRUM})


# ---------------------------------------------------------------- learned from


def _trained_with(
    change: Callable[[pd.DataFrame], pd.DataFrame], *, lost: int | None
) -> Callable[[Path], Outcome]:
    """02_train on a changed train.csv: refused with a word (``lost`` None), else without so many planets."""

    def run(scratch: Path) -> Outcome:
        from spectramind_kit.detector import read_star_info
        from spectramind_kit.errors import DataError
        from spectramind_kit.training.anchors import cross_fit_anchors
        from spectramind_kit.training.labels import train_labels
        from spectramind_kit.training.measurements import measure_planets
        from spectramind_kit.training.stage_one import extract_light_curves

        data = copy_of_the_data(scratch)
        table("train.csv", change)(data)
        folder = open_run(scratch / "run", data, "train", earlier=[stage().train])
        with captured() as out:
            curves = extract_light_curves(folder, "train")
            labels = train_labels(folder, curves)
            measured = measure_planets(folder, curves, stars=read_star_info(data, "train"), split="train")
            try:
                anchors = cross_fit_anchors(folder, measured, labels=labels)
            except DataError as error:
                said = f"DataError: {error}"[:160]
                return Outcome(said=said, wrong=lost is not None, note="an error that says so")
        gone, count = len(labels.planet_ids) - len(anchors.planet_ids), len(labels.planet_ids)
        told = next((line for line in out.getvalue().splitlines() if line.startswith("left out")), "")
        return Outcome(said=told, wrong=gone != lost, note=f"{gone} of {count} planets not learned from")

    return run


def _radius_ratios(labels: pd.DataFrame) -> pd.DataFrame:
    return labels.assign(**{name: np.sqrt(labels[name]) for name in SPECTRUM})


def _rows_of_others(labels: pd.DataFrame) -> pd.DataFrame:
    return labels.assign(planet_id=np.roll(labels["planet_id"], 1))


def _two_exchanged(labels: pd.DataFrame) -> pd.DataFrame:
    """The rows of the shallowest planet and the deepest."""
    level = labels[SPECTRUM].mean(axis=1)
    rows = [level.idxmin(), level.idxmax()]
    labels.loc[rows, SPECTRUM] = labels.loc[rows[::-1], SPECTRUM].to_numpy()
    return labels


# ---------------------------------------------------------------- stars of the training, truth


def _training_stars(scratch: Path) -> Outcome:
    """A ``--`` in the train planets' star table: `measure_planets` goes on, that planet with medians."""
    from spectramind_kit.detector import read_star_info
    from spectramind_kit.training.measurements import measure_planets
    from spectramind_kit.training.stage_one import extract_light_curves

    data = copy_of_the_data(scratch)
    edit("train_star_info.csv", lambda t: one_cell(t, row=1, column=7, value="--"))(data)
    (scratch / "curves").mkdir()
    (scratch / "curves" / "store").symlink_to(stage().train / "store")
    run = open_run(scratch / "run", data, "submit", earlier=[scratch / "curves"])
    planets = sorted(int(p.name) for p in (data / "train").iterdir())[:2]
    try:
        curves = extract_light_curves(run, "train", planet_ids=planets)
        stars = read_star_info(data, "train", tell=run.tell)
        measured = measure_planets(run, curves, stars=stars, split="train")
    except Exception as error:
        return Outcome(wrong=True, note=f"{type(error).__name__}: {error}"[:150])
    flagged = [p for p, m in measured.items() if "star table incomplete" in m.flags]
    note = f"{len(measured)} of 2 measured, {len(flagged)} flagged 'star table incomplete'"
    return Outcome(said=words(scratch / "run"), wrong=(len(flagged), len(measured)) != (1, 2), note=note)


def _doubled_truth(scratch: Path) -> Outcome:
    """A truth with one planet twice: the scores are those of the plain truth."""
    from spectramind_kit.inference.score import score_run

    made = stage()
    plain = made.truth.reset_index()
    scores = []
    for name, truth in (("plain", plain), ("doubled", pd.concat([plain.iloc[[1]], plain]))):
        folder = scratch / name
        data = copy_of_the_data(folder)
        submit(folder / "run", data, earlier=[made.train, made.curves])
        open_run(folder / "run", data, "submit").record(naive={"naive_mean": 0.0147, "naive_sigma": 0.0107})
        truth.to_csv(folder / "truth.csv", index=False)
        scores.append(score_run(folder / "run", folder / "truth.csv")["submission"])
    wrong = abs(scores[0] - scores[1]) > 1e-12
    return Outcome(wrong=wrong, note=f"score {scores[1]:.4f} against {scores[0]:.4f}")


_TABLES, _EXPORTS = "tables", "other tools' exports"
_SILENTLY = "57 of 60 planets with another planet's spectrum, silently"
CASES = [
    Case(name, kind, before, run)
    for name, kind, before, run in (
        (
            "one planet twice in train.csv",
            _TABLES,
            _SILENTLY,
            labels_after(edit("train.csv", _doubled), lost=0),
        ),
        (
            "one planet twice in train.csv, with different depths",
            _TABLES,
            _SILENTLY,
            labels_after(edit("train.csv", _contradicting), lost=1),
        ),
        (
            "labels with a negative depth, and one `--`",
            _TABLES,
            "a negative depth was trained on; the `--`: a bare ValueError",
            labels_after(edit("train.csv", _two_bad_cells), lost=2),
        ),
        (
            "labels in per cent",
            _TABLES,
            "trained on, silently",
            labels_after(table("train.csv", _in_per_cent), lost=0),
        ),
        ("`--` in the train star table", _TABLES, "a bare TypeError in 02_train", _training_stars),
        ("--truth with one planet twice", _TABLES, "a bare ValueError", _doubled_truth),
        (
            "labels are radius ratios",
            _EXPORTS,
            "trained on, silently",
            _trained_with(_radius_ratios, lost=None),
        ),
        (
            "labels in the rows of other planets",
            _EXPORTS,
            "trained on, silently",
            _trained_with(_rows_of_others, lost=None),
        ),
        (
            "two planets' labels exchanged",
            _EXPORTS,
            "trained on, silently",
            _trained_with(_two_exchanged, lost=2),
        ),
    )
]
