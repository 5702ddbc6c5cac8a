"""A finished run on a small simulated competition, made once, and copies of it for cases to change."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from spectramind_kit.detector.layout import read_star_info
from spectramind_kit.inference.finish import finish_training
from spectramind_kit.inference.submit import predict_test, write_fallback, write_prediction
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.simulator import simulate_competition
from spectramind_kit.submission import read_submission
from spectramind_kit.training.anchors import cross_fit_anchors, measure_planets
from spectramind_kit.training.folds import train_folds
from spectramind_kit.training.labels import train_labels
from spectramind_kit.training.light_curves import extract_light_curves

_TRAIN, _TEST = 8, 2
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
        return RunFolder.open(
            self.work,
            stage=stage,
            data_dir=data or self.data,
            profile="smoke",
            overrides=overrides,
            earlier=(),
        )

    def train(self, *, overrides=_SETTINGS):
        run = self.open("train", overrides=overrides)
        curves = extract_light_curves(run, "train")
        labels, stars = train_labels(run, curves), read_star_info(run.data_dir, "train")
        measured = measure_planets(run, curves, stars=stars, split="train", workers=1)
        anchors = cross_fit_anchors(run, measured, labels=labels)
        network = train_folds(run, curves, measured=measured, anchors=anchors, labels=labels, stars=stars)
        finish_training(run, curves, anchors=anchors, labels=labels, network=network)
        run.close()
        return network

    def submit(self) -> pd.DataFrame:
        run = self.open("submit")
        prediction = predict_test(run, write_fallback(run))
        write_prediction(run, prediction)
        run.close()
        return self.submission()

    def forget(self, planet: int) -> None:
        """As if the planet had never been seen: its next light curve and measurement are the first ones."""
        for path in [*self.work.glob(f"store/*/{planet}_*.npz"), *self.work.glob(f"anchor/*/{planet}.npz")]:
            path.unlink()

    def submission(self) -> pd.DataFrame:
        return read_submission(self.work / "submission.csv").set_index("planet_id")

    def fresh(self, scratch: Path) -> pd.DataFrame:
        """What the same bundle predicts where nothing but the bundle is kept."""
        other = FinishedRun(self.data, scratch / "fresh", self.truth)
        other.work.mkdir()
        shutil.copytree(self.work / "bundle", other.work / "bundle")
        with contextlib.redirect_stdout(io.StringIO()):
            return other.submit()

    def label(self, planet: int) -> np.ndarray:
        return pd.read_csv(self.data / "train.csv").set_index("planet_id").loc[planet].to_numpy(float)


@lru_cache(maxsize=1)
def _finished() -> tuple[FinishedRun, tempfile.TemporaryDirectory]:
    """Made once for all cases; the folder lives as long as the process."""
    kept = tempfile.TemporaryDirectory(prefix="robustness-stale-")
    with contextlib.redirect_stdout(io.StringIO()):
        made = simulate_competition(
            Path(kept.name) / "simulated",
            n_train=_TRAIN,
            n_test=_TEST,
            seed=5,
            cadence="reduced",
            two_visit_fraction=0.0,
        )
        copy = FinishedRun(made.data_dir, Path(kept.name) / "run", made.truth_path)
        copy.train()
        copy.submit()
    return copy, kept


def copy_of_a_finished_run(scratch: Path) -> FinishedRun:
    done, _ = _finished()
    shutil.copytree(done.data, scratch / done.data.name)
    shutil.copytree(done.work, scratch / "run")
    return FinishedRun(scratch / done.data.name, scratch / "run", Path(shutil.copy(done.truth, scratch)))
