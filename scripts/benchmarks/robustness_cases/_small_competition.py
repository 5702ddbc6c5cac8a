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
    *("train.csv", "wavelengths.csv", "axis_info.parquet", "adc_info.csv"),
    *("train_star_info.csv", "test_star_info.csv", "sample_submission.csv"),
)
SPECTRUM = [f"wl_{k}" for k in range(1, 284)]
SIGMA = [f"sigma_{k}" for k in range(1, 284)]
SAME = 1e-6  # relative: results of planets that a damage does not concern


@dataclass(frozen=True)
class Stage:
    """A simulated competition, and what has been made of it undamaged."""

    data: Path
    train: Path  # the run that trained on it
    curves: Path  # holds the light curves of the test planets
    truth: pd.DataFrame  # depths by planet
    undamaged: pd.DataFrame  # the submission by planet

    @property
    def ids(self) -> list[int]:
        return [int(p) for p in self.undamaged.index]


@lru_cache(maxsize=1)
def stage() -> Stage:
    """Made once in a process, and removed at its end."""
    from robustness_cases._cells import open_run, train
    from spectramind_kit.simulator import simulate_competition

    root = Path(tempfile.mkdtemp(prefix="robustness-tables-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    made = simulate_competition(root / "simulated", n_train=9, n_test=4, seed=5, jobs=2)
    train(open_run(root / "train", made.data_dir, "train"))
    submitted = submit(root / "undamaged", made.data_dir, earlier=[root / "train"])
    (root / "curves").mkdir()
    (root / "undamaged" / "store").rename(root / "curves" / "store")
    truth = pd.read_csv(made.truth_path).set_index("planet_id")
    return Stage(made.data_dir, root / "train", root / "curves", truth, submitted)


def submit(folder: Path, data: Path, *, earlier: Iterable[Path]) -> pd.DataFrame:
    from robustness_cases import _cells

    return _cells.submit(_cells.open_run(folder, data, "submit", earlier=earlier))


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


@dataclass(frozen=True)
class Expected:
    """What a damage may change."""

    concerns: Iterable[int] = ()  # numbers of the planets whose rows may change; held against the truth then
    frames: bool = False  # light curves are made again, as the damage may reach them
    bundle: bool = True  # the trained bundle is there
    rows: tuple[int, ...] | None = None  # of the submission; None: all planets
    close: float = np.inf  # errors that a bin may move from the undamaged run


def after(damage: Callable[[Path], object], **expected) -> Callable[[Path], Outcome]:
    """A case: damage the data, submit, compare; ``expected``: the fields of `Expected`."""
    wanted = Expected(**expected)

    def run(scratch: Path) -> Outcome:
        made = stage()
        data = copy_of_the_data(scratch)
        damage(data)
        earlier = [made.train] if wanted.frames else [made.train, made.curves]
        try:
            found = submit(scratch / "run", data, earlier=earlier if wanted.bundle else [])
        except Exception as error:
            return Outcome(raised=f"{type(error).__name__}: {error}"[:200], wrong=True)
        return _compare(found, scratch / "run", wanted)

    return run


def change_of(found: pd.DataFrame, planets: Iterable[int] | None = None) -> float:
    """The largest relative change from the undamaged submission."""
    rows = list(found.index if planets is None else planets)
    ratio = found.loc[rows].to_numpy() / stage().undamaged.loc[rows].to_numpy()
    return float(np.abs(ratio - 1.0).max()) if rows else 0.0


def _compare(found: pd.DataFrame, run: Path, wanted: Expected) -> Outcome:
    made, said = stage(), words(run)
    rows = sorted(made.ids if wanted.rows is None else wanted.rows)
    if sorted(found.index) != rows:
        return Outcome(wrong=True, said="", note=f"rows {sorted(found.index)} instead of {rows}")
    if not rows:
        return Outcome(said=said, note="a header and no row", wrong=not said)
    concerned = {made.ids[k] for k in wanted.concerns}
    change = change_of(found, [planet for planet in rows if planet not in concerned])
    level = (found[SPECTRUM[1:]] - made.truth.loc[found.index, SPECTRUM[1:]]).mean(axis=1)
    sigma = found[SIGMA[1:]].mean(axis=1)
    pull = float((level / sigma).abs().max())
    counts = json.loads((run / "run.json").read_text())["stages"]["submit"].get("sources", {})
    note = ", ".join(f"{n} {name}" for name, n in counts.items())
    if change > SAME:
        text = f"planets that it does not concern changed by {change:.1e}; {note}"
        return Outcome(pull=pull, wrong=True, note=text)
    shift = found[SPECTRUM] - made.undamaged.loc[found.index, SPECTRUM]
    moved = float((np.abs(shift.to_numpy()) / found[SIGMA].to_numpy()).max())
    wrong = moved > wanted.close
    if wanted.close < np.inf:
        note += f"; bins within {moved:.1g} errors of the undamaged run"
    sigma_ppm = 1e6 * float(sigma.median())
    return Outcome(pull=pull, sigma_ppm=sigma_ppm, said="" if wrong else said, wrong=wrong, note=note)


def words(run: Path) -> str:
    """The first thing that the run has on record about its inputs."""
    record = json.loads((run / "run.json").read_text())["stages"]["submit"]
    texts = [*record.get("findings", ()), *(str(record[key]) for key in record if key.endswith("_failed"))]
    for key in (key for key in record if key.startswith("failed_")):
        texts += [f"{entry['planet_id']}: {entry['error']}" for entry in record[key]]
    return texts[0].replace("\n", " ").replace(f"{run.parent}/", "")[:160] if texts else ""
