"""A small run without frames: simulated light curves, their tables, and the stages 02 and 03 in this
process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from spectramind_kit.detector.layout import read_star_info
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.inference import rerun_planets, submit
from spectramind_kit.inference.finish import finish_training
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.submission import submission_columns
from spectramind_kit.training.anchors import cross_fit_anchors
from spectramind_kit.training.folds import train_folds
from spectramind_kit.training.labels import train_labels
from spectramind_kit.training.measurements import measure_planets
from spectramind_kit.training.train_inputs import train_inputs
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

TRAIN, TEST = tuple(range(1, 9)), (101, 102)
SMALL = ["train.folds=2", "anchor.iterations=2"]


@dataclass
class SmallRun:
    """``light_curves`` and the tables may be changed between two calls of `train` and `submit`."""

    root: Path
    data_dir: Path
    light_curves: dict[str, dict[int, list[LightCurve]]]
    stars: dict[str, pd.DataFrame]
    labels: pd.DataFrame
    overrides: list[str] = field(default_factory=lambda: ["model=anchor", *SMALL])

    def copy(self, folder: Path) -> SmallRun:
        """The same in a folder of the test's own."""
        shutil.copytree(self.root.parent, folder)
        return replace(
            self,
            root=folder / "run",
            data_dir=folder / "data",
            light_curves={split: dict(curves) for split, curves in self.light_curves.items()},
            stars={split: table.copy() for split, table in self.stars.items()},
            labels=self.labels.copy(),
        )

    def write_tables(self) -> None:
        names = submission_columns()[1:284]
        pd.DataFrame([WAVELENGTH], columns=names).to_csv(self.data_dir / "wavelengths.csv", index=False)
        for split, table in self.stars.items():
            table.to_csv(self.data_dir / f"{split}_star_info.csv")
        self.labels.to_csv(self.data_dir / "train.csv")

    def change_flux(self, planet: int) -> None:
        """A light curve of a train planet with other numbers."""
        curve = self.light_curves["train"][planet][0]
        self.light_curves["train"][planet] = [replace(curve, flux=curve.flux * np.float32(1.0001))]

    def change_star(self, planet: int) -> None:
        """A row of the star table with other numbers."""
        self.stars["train"].loc[planet, "sma"] *= 1.2

    def change_submission(self) -> None:
        """Another number in submission.csv."""
        path = self.root / "submission.csv"
        frame = pd.read_csv(path)
        frame.loc[1, "wl_7"] *= 1.001
        frame.to_csv(path, index=False)

    def write_truth(self, path: Path, *, factor: float = 1.0) -> Path:
        """A truth of the test planets, which is nobody's."""
        frame = pd.DataFrame(np.full((2, 283), 0.0123 * factor), columns=submission_columns()[1:284])
        frame.insert(0, "planet_id", TEST)
        frame.to_csv(path, index=False)
        return path

    def open(self, stage: str, **options) -> RunFolder:
        options = {"earlier": (), "profile": "smoke", "overrides": self.overrides, **options}
        return RunFolder.open(
            options.pop("work_dir", self.root), stage=stage, data_dir=self.data_dir, **options
        )

    def measure(self, run: RunFolder, split: str = "train"):
        return measure_planets(
            run, self.light_curves[split], stars=read_star_info(self.data_dir, split), split=split, workers=1
        )

    def train(self, **options):
        """02_train; returns the network."""
        self.write_tables()
        run, curves = self.open("train", **options), self.light_curves["train"]
        labels, measured = train_labels(run, curves), self.measure(run)
        anchors = cross_fit_anchors(run, measured, labels=labels)
        stars = read_star_info(self.data_dir, "train")
        known = {"measurements": measured, "anchors": anchors, "labels": labels, "stars": stars}
        network = train_folds(run, train_inputs(run, curves, **known), anchors=anchors, labels=labels)
        finish_training(run, curves, anchors=anchors, labels=labels, network=network)
        run.close()
        return network

    def submit(self, monkeypatch, **options):
        """03_submit; returns the prediction."""
        self.write_tables()
        monkeypatch.setattr(
            rerun_planets,
            "extract_light_curves",
            lambda run, split, planet_ids, **_: {p: self.light_curves["test"][p] for p in planet_ids},
        )
        run = self.open("submit", **options)
        prediction = submit.predict_test(run, submit.write_fallback(run))
        submit.write_prediction(run, prediction)
        run.close()
        return prediction


def make_small_run(folder: Path) -> SmallRun:
    """Eight train and two test planets; a second per stage."""
    planets = {p: make_planet(p, level=0.01 + 0.001 * (p % 7)) for p in (*TRAIN, *TEST)}
    curves = {
        split: {p: [make_light_curve(planets[p], seed=p, planet_id=p, n_times=60)] for p in ids}
        for split, ids in (("train", TRAIN), ("test", TEST))
    }
    stars = {
        split: pd.DataFrame({p: planets[p].star for p in ids}).T.rename_axis("planet_id")
        for split, ids in (("train", TRAIN), ("test", TEST))
    }
    labels = pd.DataFrame(
        np.stack([planets[p].depth for p in TRAIN]),
        columns=submission_columns()[1:284],
        index=pd.Index(TRAIN, name="planet_id"),
    )
    data = folder / "data"
    for split, ids in (("train", TRAIN), ("test", TEST)):
        for planet in ids:
            (data / split / str(planet)).mkdir(parents=True)
            for sensor in ("FGS1", "AIRS-CH0"):
                (data / split / str(planet) / f"{sensor}_signal_0.parquet").touch()
    run = SmallRun(folder / "run", data, curves, stars, labels)
    run.write_tables()
    return run
