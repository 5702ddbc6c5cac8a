"""A finished run on a small simulated competition, made once, and copies of it for cases to change."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from robustness_cases import _cells
from robustness_cases._said import captured
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.simulator import simulate_competition

_SETTINGS = ("model=anchor", "train.folds=2")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run (02 and 03, model=anchor) on a small simulated competition, for one case to change."""

    data: Path
    work: Path
    truth: Path

    @property
    def test_ids(self) -> list[int]:
        return sorted(int(path.name) for path in (self.data / "test").iterdir())

    @property
    def train_ids(self) -> list[int]:
        return sorted(int(path.name) for path in (self.data / "train").iterdir())

    def open(self, stage: str, *, overrides=_SETTINGS, data: Path | None = None) -> RunFolder:
        return _cells.open_run(self.work, data or self.data, stage, overrides=overrides)

    def train(self, *, overrides=_SETTINGS):
        return _cells.train(self.open("train", overrides=overrides))

    def submit(self) -> pd.DataFrame:
        return _cells.submit(self.open("submit"))

    def submit_quietly(self) -> pd.DataFrame:
        with captured():
            return self.submit()

    def forget(self, planet: int) -> None:
        """As if the planet had never been seen: its next light curve and measurement are the first ones."""
        for path in [*self.work.glob(f"store/*/{planet}_*.npz"), *self.work.glob(f"anchor/*/{planet}.npz")]:
            path.unlink()

    def fresh(self, scratch: Path) -> pd.DataFrame:
        """What the same bundle predicts where nothing but the bundle is kept."""
        other = FinishedRun(self.data, scratch / "fresh", self.truth)
        other.work.mkdir()
        shutil.copytree(self.work / "bundle", other.work / "bundle")
        return other.submit_quietly()

    def sources(self) -> dict[str, int]:
        """What the predictions of the last submission come from: how many planets of each."""
        return json.loads((self.work / "run.json").read_text())["stages"]["submit"]["sources"]

    def label(self, planet: int) -> np.ndarray:
        return pd.read_csv(self.data / "train.csv").set_index("planet_id").loc[planet].to_numpy(float)

    def scale_label(self, factor: float) -> None:
        """The first planet's label, corrected."""
        table = pd.read_csv(self.data / "train.csv")
        table.iloc[0, 1:] *= factor
        table.to_csv(self.data / "train.csv", index=False)


@lru_cache(maxsize=1)
def _finished() -> tuple[FinishedRun, tempfile.TemporaryDirectory]:
    """Made once for all cases; the folder lives as long as the process."""
    kept = tempfile.TemporaryDirectory(prefix="robustness-stale-")
    settings = dict(n_train=8, n_test=2, seed=5, cadence="reduced", two_visit_fraction=0.0)
    with captured():
        made = simulate_competition(Path(kept.name) / "simulated", **settings)
        done = FinishedRun(made.data_dir, Path(kept.name) / "run", made.truth_path)
        done.train()
        done.submit()
    return done, kept


def copy_of_a_finished_run(scratch: Path) -> FinishedRun:
    done, _ = _finished()
    shutil.copytree(done.data, scratch / done.data.name)
    shutil.copytree(done.work, scratch / "run")
    return FinishedRun(scratch / done.data.name, scratch / "run", Path(shutil.copy(done.truth, scratch)))
