"""A small simulated competition with a bundle that was trained once in a process; damaged copies of it, and
what 03_submit's own calls make of them, compared with the undamaged run and with the truth."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import Outcome

TABLES = (
    "train.csv",
    "wavelengths.csv",
    "axis_info.parquet",
    "adc_info.csv",
    "train_star_info.csv",
    "test_star_info.csv",
    "sample_submission.csv",
)
SPECTRUM = [f"wl_{k}" for k in range(1, 284)]
SIGMA = [f"sigma_{k}" for k in range(1, 284)]
SAME = 1e-6  # relative: results of planets that a damage does not concern


@dataclass(frozen=True)
class Stage:
    """A simulated competition, the run that trained on it, the light curves of its test planets, and what
    they gave."""

    data: Path
    train: Path
    curves: Path
    truth: pd.DataFrame
    undamaged: pd.DataFrame

    @property
    def ids(self) -> list[int]:
        return [int(p) for p in self.undamaged.index]


@lru_cache(maxsize=1)
def stage() -> Stage:
    """Made once in a process, and removed at its end."""
    from spectramind_kit.detector import read_star_info
    from spectramind_kit.inference.finish import finish_training
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.training.anchors import cross_fit_anchors, measure_planets
    from spectramind_kit.training.labels import train_labels
    from spectramind_kit.training.light_curves import extract_light_curves

    root = Path(tempfile.mkdtemp(prefix="robustness-tables-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    made = simulate_competition(root / "simulated", n_train=9, n_test=4, seed=5, jobs=2)
    run = open_run(root / "train", made.data_dir, stage_name="train")
    curves = extract_light_curves(run, "train")
    labels = train_labels(run, curves)
    measured = measure_planets(run, curves, stars=read_star_info(made.data_dir, "train"), split="train")
    finish_training(
        run, curves, anchors=cross_fit_anchors(run, measured, labels=labels), labels=labels, network=None
    )
    submitted = submit(root / "undamaged", made.data_dir, earlier=[root / "train"])
    (root / "curves").mkdir()
    (root / "undamaged" / "store").rename(root / "curves" / "store")
    truth = pd.read_csv(made.truth_path).set_index("planet_id")
    return Stage(made.data_dir, root / "train", root / "curves", truth, submitted)


def open_run(folder: Path, data: Path, *, stage_name: str = "submit", earlier: Iterable[Path] = ()):
    from spectramind_kit.run_folder.folder import RunFolder

    return RunFolder.open(
        folder,
        stage=stage_name,
        data_dir=data,
        profile="smoke",
        overrides=["model=anchor"],
        earlier=list(earlier),
    )


def submit(folder: Path, data: Path, *, earlier: Iterable[Path]) -> pd.DataFrame:
    """What the cells of 03_submit do; the submission as Kaggle would read it."""
    from spectramind_kit.inference.submit import predict_test, write_fallback, write_prediction

    run = open_run(folder, data, earlier=earlier)
    planet_ids = write_fallback(run)
    path = write_prediction(run, predict_test(run, planet_ids))
    run.close(path)
    return pd.read_csv(path).set_index("planet_id")


def copy_of_the_data(folder: Path) -> Path:
    """The tables copied, the planets as links: a damage here does not reach the others' copy."""
    source, target = stage().data, folder / "data"
    target.mkdir(parents=True)
    for name in TABLES:
        shutil.copy(source / name, target / name)
    for split in ("train", "test"):
        (target / split).mkdir()
        for planet in (source / split).iterdir():
            (target / split / planet.name).symlink_to(planet)
    return target


def after(
    damage: Callable[[Path], object],
    *,
    frames: bool = False,
    concerns: Iterable[int] = (),
    bundle: bool = True,
    rows: Iterable[int] | None = None,
    close: float = np.inf,
) -> Callable[[Path], Outcome]:
    """A case: damage the data, submit, compare. ``concerns``: numbers of the planets that may change (they
    are then compared with the truth); ``frames``: light curves are made again, as the damage may reach them;
    ``rows``: those expected; ``close``: how many errors a bin of theirs may move from the undamaged run."""

    def run(scratch: Path) -> Outcome:
        made = stage()
        data = copy_of_the_data(scratch)
        damage(data)
        earlier = [] if not bundle else [made.train] if frames else [made.train, made.curves]
        try:
            found = submit(scratch / "run", data, earlier=earlier)
        except Exception as error:
            return Outcome(raised=f"{type(error).__name__}: {error}"[:200], wrong=True)
        return compare(
            found,
            scratch / "run",
            concerned={made.ids[k] for k in concerns},
            rows=made.ids if rows is None else list(rows),
            close=close,
        )

    return run


def compare(
    found: pd.DataFrame, run: Path, *, concerned: set[int], rows: list[int], close: float = np.inf
) -> Outcome:
    made = stage()
    said = words(run)
    if sorted(found.index) != sorted(rows):
        return Outcome(wrong=True, said="", note=f"rows {sorted(found.index)} instead of {sorted(rows)}")
    if not rows:
        return Outcome(said=said, note="a header and no row", wrong=not said)
    same = [p for p in rows if p not in concerned]
    ratio = found.loc[same].to_numpy() / made.undamaged.loc[same].to_numpy()
    change = np.abs(ratio - 1.0).max() if same else 0.0
    level = (found[SPECTRUM[1:]] - made.truth.loc[found.index, SPECTRUM[1:]]).mean(axis=1)
    sigma = found[SIGMA[1:]].mean(axis=1)
    moved = float(
        (
            np.abs(found[SPECTRUM] - made.undamaged.loc[found.index, SPECTRUM]).to_numpy()
            / found[SIGMA].to_numpy()
        ).max()
    )
    pull = float((level / sigma).abs().max())
    counts = json.loads((run / "run.json").read_text())["stages"]["submit"].get("sources", {})
    note = ", ".join(f"{n} {name}" for name, n in counts.items())
    if change > SAME:
        text = f"planets that it does not concern changed by {change:.1e}; {note}"
        return Outcome(pull=pull, wrong=True, note=text)
    return Outcome(
        pull=pull,
        sigma_ppm=1e6 * float(sigma.median()),
        said="" if moved > close else said,
        wrong=moved > close,
        note=note + (f"; bins within {moved:.1g} errors of the undamaged run" if close < np.inf else ""),
    )


def words(run: Path) -> str:
    """The first thing that the run has on record about its inputs."""
    record = json.loads((run / "run.json").read_text())["stages"]["submit"]
    texts = list(record.get("findings", [])) + [str(record[k]) for k in record if k.endswith("_failed")]
    texts += [
        f"{entry['planet_id']}: {entry['error']}"
        for k in record
        if k.startswith("failed_")
        for entry in record[k]
    ]
    return texts[0].replace("\n", " ").replace(f"{run.parent}/", "")[:160] if texts else ""
