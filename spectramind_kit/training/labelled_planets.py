"""Train planets with all that a model of one's own is trained on and compared with, without any raw frame.

Of a run's folder, whose light curves, labels and anchors are there already, or simulated at the level of
light curves, which takes a tenth of a second a planet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spectramind_kit.detector import LightCurve
from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.simulator import simulate_light_curves
from spectramind_kit.simulator.worlds import world
from spectramind_kit.training.dataset import fold_of_planets
from spectramind_kit.transit import cross_fit, measure_together


@dataclass(frozen=True)
class LabelledPlanets:
    """N planets. What is said of a planet by the anchor knows the labels of the other folds only."""

    light_curves: Mapping[int, Sequence[LightCurve]]  # by planet, its visits
    stars: pd.DataFrame  # the star table, by planet
    planet_ids: np.ndarray  # (N,)
    depth: np.ndarray  # (N, 283) the labels
    fold: np.ndarray  # (N,) int
    anchor: tuple[np.ndarray, np.ndarray] | None  # depths and their 1-sigma errors, (N, 283) each
    metric: Metric  # of all train labels

    @property
    def labels(self) -> dict[int, np.ndarray]:
        """The labels by planet, as a `VisitDataset` takes them."""
        return dict(zip(self.planet_ids.tolist(), self.depth))

    def rows_of(self, planet_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where these planets stand, in their order."""
        row = {int(planet): k for k, planet in enumerate(self.planet_ids)}
        return np.array([row[int(planet)] for planet in planet_ids], dtype=np.int64)


def planets_of_run(run: RunResults) -> LabelledPlanets:
    """The train planets of a run after 02_train.

    Raises
    ------
    DataError
        The run holds no predictions out of fold, or not their light curves.
    """
    known, folder = run.oof, run.settings_folders.get("store")
    if known is None or known.depth is None or known.fold is None or known.anchor_depth is None:
        what, fix = "the run holds no labelled train planets", "run 02_train in this folder first"
        raise DataError(what, where=str(run.root), expected="predictions/oof.npz", fix=fix)
    curves = {}
    for planet in known.planet_id.tolist():
        paths = run.glob(f"store/{folder}/{planet}_*.npz")
        curves[planet] = [LightCurve.load(path) for path in sorted(paths)]
    without = [planet for planet, visits in curves.items() if not visits]
    if without:
        what, found = "planets of the run have no light curve in its store", f"{len(without)}: {without[:3]}"
        raise DataError(what, where=str(run.root / "store"), found=found, fix="run 01_light_curves again")
    return LabelledPlanets(
        light_curves=curves,
        stars=run.star if run.star is not None else pd.DataFrame(),
        planet_ids=known.planet_id,
        depth=known.depth,
        fold=known.fold,
        anchor=(known.anchor_depth, known.anchor_err),
        metric=run.metric,
    )


def simulated_planets(
    n_planets: int, *, seed: int, sky: str = "real", folds: int = 3, anchors: bool = True
) -> LabelledPlanets:
    """As many simulated planets of a named world; their anchors, out of fold, take 0.2 s a planet."""
    planets = list(simulate_light_curves(n_planets, seed=seed, settings=world(sky)).planets())
    ids, depth = np.array([own.planet_id for own in planets]), np.stack([own.label for own in planets])
    fold, metric = fold_of_planets(ids, folds=folds, seed=seed), Metric.of(depth)
    spectra = None
    if anchors:
        measured = measure_together([(own.curves, own.star) for own in planets])
        fitted = cross_fit(measured, depth, folds=fold, metric=metric).anchors
        spectra = np.stack([own.depth for own in fitted]), np.stack([own.depth_err for own in fitted])
    return LabelledPlanets(
        light_curves={own.planet_id: own.curves for own in planets},
        stars=pd.DataFrame([own.star for own in planets]).set_index("planet_id"),
        planet_ids=ids,
        depth=depth,
        fold=fold,
        anchor=spectra,
        metric=metric,
    )
