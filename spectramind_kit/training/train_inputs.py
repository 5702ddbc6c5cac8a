"""What the folds are trained on: every visit as the network reads it, and the weights to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spectramind_kit.configs.target import to_plain
from spectramind_kit.detector import LightCurve
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import say
from spectramind_kit.training.anchors import CrossFittedAnchors
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.network_rows import network_rows
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.pretrained import Pretrained, find_pretrained
from spectramind_kit.transit import DepthMeasurement


@dataclass(frozen=True)
class TrainInputs:
    """Of all folds; ``start`` is None where the training begins from scratch."""

    dataset: VisitDataset  # with labels
    start: Pretrained | None


def train_inputs(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: CrossFittedAnchors,
    labels: Labels,
    stars: pd.DataFrame,
) -> TrainInputs | None:
    """The train planets as the network of the configuration reads them; None where there is no network."""
    if not run.config.model.use_network:
        say("model=anchor: no network is trained")
        return None
    known, depth = anchors.out_of_fold, dict(zip(labels.planet_ids.tolist(), labels.depth))
    with run.step("light curves as the network reads them"):
        own = {planet: light_curves[planet] for planet in known}
        read = {"measurements": measurements, "anchors": known, "stars": stars}
        rows = network_rows(to_plain(run.config.model), own, **read)
        start = _start(run, next(iter(light_curves.values()))[0].wavelength_um)
        normaliser = start.normaliser if start is not None else Normaliser.fit(rows)
        return TrainInputs(VisitDataset(rows, normaliser=normaliser, depth=depth), start)


def _start(run: RunFolder, wavelength_um: np.ndarray) -> Pretrained | None:
    """The weights that the model of the configuration begins with, where there are some that fit."""
    start = find_pretrained(to_plain(run.config.model), run.config.train.start)
    if start is not None and not start.knows(wavelength_um):
        say("the pre-trained weights know other wavelengths: the network is trained from scratch")
        return None
    return start
