"""The anchors of a run's train planets, each under a prior and a calibration that have not seen its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spectramind_kit.configs.target import to_plain
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import say
from spectramind_kit.training.dataset import fold_of_planets
from spectramind_kit.training.label_check import contradicted_labels
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.made_from import training_made_from
from spectramind_kit.transit import Anchor, AnchorCalibration, DepthMeasurement, SpectralPrior
from spectramind_kit.transit.anchor.recipes import CrossFit, cross_fit
from spectramind_kit.transit.settings import AnchorSettings

SETTINGS = ("data", "anchor", "model", "loss", "train")  # groups of the configuration that shape a training


@dataclass(frozen=True)
class CrossFittedAnchors:
    """Out-of-fold anchors of N train planets; the prior and calibration from all of them, for new ones."""

    planet_ids: np.ndarray  # (N,)
    fold: np.ndarray  # (N,) int
    out_of_fold: dict[int, Anchor]  # by planet
    prior: SpectralPrior
    calibration: AnchorCalibration
    made_from: Mapping[str, str] = field(default_factory=dict)  # `made_from.training_made_from`

    def stacked(self) -> tuple[np.ndarray, np.ndarray]:
        """Depths and errors (N, 283) in the order of ``planet_ids``."""
        anchors = [self.out_of_fold[int(p)] for p in self.planet_ids]
        return np.stack([a.depth for a in anchors]), np.stack([a.depth_err for a in anchors])


def cross_fit_anchors(
    run: RunFolder, measurements: Mapping[int, DepthMeasurement], *, labels: Labels
) -> CrossFittedAnchors:
    """Learn prior and calibration from the labels, out of fold; the folds are those of the network.

    Raises DataError where too few planets are left, or most labels are not those of the light curves
    (`label_check`); a single such planet is left out, and told.
    """
    planets = _planets_to_learn_from(run, measurements, labels)
    fold = fold_of_planets(planets, folds=run.config.train.folds, seed=run.seed)
    used, depth = [measurements[int(p)] for p in planets], labels.of(planets)
    with run.step("what the anchor learns from labels, each planet without its own"):
        settings = AnchorSettings.from_mapping(run.config.anchor)
        fitted = cross_fit(used, depth, folds=fold, metric=labels.metric, settings=settings)
    _tell_fit(run, fitted, len(planets))
    made_from = training_made_from(
        settings=[to_plain(run.config[name]) for name in SETTINGS],
        seed=run.seed,
        planet_ids=planets,
        fold=fold,
        depth=depth,
        metric=labels.metric,
        measurements=used,
    )
    anchors = dict(zip(planets.tolist(), fitted.anchors))
    return CrossFittedAnchors(planets, fold, anchors, fitted.prior, fitted.calibration, made_from)


def _planets_to_learn_from(
    run: RunFolder, measurements: Mapping[int, DepthMeasurement], labels: Labels
) -> np.ndarray:
    """Planets with a measurement and a label that does not contradict it, in the order of the labels."""
    planets = np.array([int(p) for p in labels.planet_ids if int(p) in measurements], dtype=np.int64)
    if len(planets) < 2:
        raise DataError(
            "too few train planets were measured",
            where="cross_fit_anchors",
            expected="2 or more",
            found=str(len(planets)),
            fix="see failed_anchor_train in run.json",
        )
    strange = contradicted_labels([measurements[int(p)] for p in planets], labels.of(planets))
    if strange:
        run.failures("label_contradicted", [PlanetFailure(p, text) for p, text in strange.items()])
    return planets[[int(p) not in strange for p in planets]]


def _tell_fit(run: RunFolder, fitted: CrossFit, n_planets: int) -> None:
    mismatch, told = fitted.prior.mismatch, None
    if mismatch is not None:
        size = f"{100 * mismatch.covariance[0, 0] ** 0.5:.2f} %"
        what = (
            f"labels: in about {100 * mismatch.share:.0f} % of the planets the light curves show a depth that"
        )
        say(f"{what} differs from the label, typically by {size} of it; the anchor's errors allow for that")
        sd = np.sqrt(np.diag(mismatch.covariance))
        told = {"share": mismatch.share, "sd": sd, "mean": mismatch.mean, "floor": mismatch.floor}
    run.log(
        "anchor_prior",
        planets=n_planets,
        notes=dict(fitted.prior.notes),
        mismatch=told,
        calibration="left out, it does not help" if fitted.calibration.identity else "used",
        score_before=fitted.calibration.score_before,
        score_after=fitted.calibration.score_after,
    )
