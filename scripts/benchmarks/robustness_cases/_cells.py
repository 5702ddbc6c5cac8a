"""What the cells of 02_train and 03_submit do, in a few calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from spectramind_kit.detector import read_star_info
from spectramind_kit.inference.finish import finish_training
from spectramind_kit.inference.submit import predict_test, write_fallback, write_prediction
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.training.anchors import cross_fit_anchors
from spectramind_kit.training.folds import train_folds
from spectramind_kit.training.labels import train_labels
from spectramind_kit.training.measurements import measure_planets
from spectramind_kit.training.stage_one import extract_light_curves
from spectramind_kit.training.train_inputs import train_inputs


def open_run(
    folder: Path,
    data: Path,
    stage: str,
    *,
    earlier: Iterable[Path] = (),
    overrides: Sequence[str] = ("model=anchor",),
) -> RunFolder:
    settings = dict(profile="smoke", overrides=list(overrides), earlier=list(earlier))
    return RunFolder.open(folder, stage=stage, data_dir=data, **settings)


def train(run: RunFolder):
    """Leaves the bundle in the run's folder; returns the network, None where the anchor alone is trained."""
    curves = extract_light_curves(run, "train")
    labels, stars = train_labels(run, curves), read_star_info(run.data_dir, "train")
    measured = measure_planets(run, curves, stars=stars, split="train", workers=1)
    anchors = cross_fit_anchors(run, measured, labels=labels)
    known = {"measurements": measured, "anchors": anchors, "labels": labels, "stars": stars}
    network = train_folds(run, train_inputs(run, curves, **known), anchors=anchors, labels=labels)
    finish_training(run, curves, anchors=anchors, labels=labels, network=network)
    run.close()
    return network


def submit(run: RunFolder) -> pd.DataFrame:
    """The submission by planet, as Kaggle would read it."""
    path = write_prediction(run, predict_test(run, write_fallback(run)))
    run.close(path)
    return pd.read_csv(path).set_index("planet_id")
