"""Recipes: one planet alone; priors and calibration from train planets, with anchors that their priors have
not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.transit.anchor.calibration import (
    AnchorCalibration,
    calibrate,
    fit_calibration,
    identity_calibration,
)
from spectramind_kit.transit.anchor.mixture import apply_prior
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.fit.planets import measure_depths
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.priors.learn_nuisance import learn_nuisances
from spectramind_kit.transit.priors.spectral_prior import SpectralPrior, learn_spectral_prior
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


@dataclass(frozen=True)
class CrossFit:
    """What `cross_fit` learned. N train planets, in the order given.

    anchors : N held-out anchors, calibrated by planets other than themselves
    uncalibrated : the same before calibration
    prior, calibration : from all train planets, for the test planets
    """

    anchors: tuple[Anchor, ...]
    uncalibrated: tuple[Anchor, ...]
    prior: SpectralPrior
    calibration: AnchorCalibration
    fold_calibrations: tuple[AnchorCalibration, ...]

    def predict(self, measurement: DepthMeasurement) -> Anchor:
        """The calibrated anchor of a new planet."""
        return calibrate(apply_prior(measurement, self.prior), self.calibration)


def assign_folds(n: int, *, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Fold number (n,) of each planet, sizes equal within one."""
    numbers = np.arange(n) % max(min(folds, n), 1)
    return np.random.default_rng(seed).permutation(numbers)


def learn_priors(measurements: Sequence[DepthMeasurement], depths: np.ndarray) -> SpectralPrior:
    """Spectral and nuisance priors from train planets: labels for the shapes, light curves given labels for
    the rest."""
    nuisance, mismatch = learn_nuisances(measurements, depths)
    return learn_spectral_prior(
        depths,
        measurements[0].wavelength_um,
        stars=[m.star for m in measurements],
        nuisance=nuisance,
        mismatch=mismatch,
    )


def cross_fit(
    measurements: Sequence[DepthMeasurement],
    depths: np.ndarray,
    *,
    folds: np.ndarray | int = 5,
    seed: int = 0,
    metric: Metric | None = None,
) -> CrossFit:
    """Learn the priors and the calibration, out of fold.

    Parameters
    ----------
    measurements : N `DepthMeasurement` of the train planets
    depths : (N, W) labels
    folds : (N,) fold numbers, or how many folds to make
    metric : by default the one whose naive prediction is that of ``depths``

    Raises
    ------
    DataError
        Counts that do not fit, or no planet at all.
    """
    depths = np.asarray(depths, dtype=np.float64)
    n = len(measurements)
    if n == 0 or depths.shape[0] != n:
        raise DataError(
            "measurements and labels do not fit",
            where="cross_fit",
            expected=f"{n} > 0 label rows",
            found=str(depths.shape),
            fix="pass one label row per measurement",
        )
    numbers = assign_folds(n, folds=folds, seed=seed) if isinstance(folds, int) else np.asarray(folds)
    metric = metric or Metric.of(depths)
    held_out: list[Anchor | None] = [None] * n
    values = np.unique(numbers)
    for value in values:
        rest, held = np.flatnonzero(numbers != value), np.flatnonzero(numbers == value)
        chosen = rest if len(rest) else held
        prior = learn_priors([measurements[k] for k in chosen], depths[chosen])
        for k in held:
            held_out[k] = apply_prior(measurements[k], prior)
    uncalibrated = tuple(a for a in held_out if a is not None)
    calibration = fit_calibration(uncalibrated, depths, metric=metric)
    calibrated: list[Anchor | None] = [None] * n
    fold_calibrations = []
    for value in values:
        rest, held = np.flatnonzero(numbers != value), np.flatnonzero(numbers == value)
        own = (
            identity_calibration(len(rest))
            if calibration.identity
            else fit_calibration(
                [uncalibrated[k] for k in rest],
                depths[rest],
                min_gain=-np.inf,
                folds=2,
                strengths=(calibration.strength,),
                metric=metric,
            )
        )
        fold_calibrations.append(own)
        for k in held:
            calibrated[k] = calibrate(uncalibrated[k], own)
    return CrossFit(
        anchors=tuple(a for a in calibrated if a is not None),
        uncalibrated=uncalibrated,
        prior=learn_priors(measurements, depths),
        calibration=calibration,
        fold_calibrations=tuple(fold_calibrations),
    )


def fit_anchor(
    light_curves: Sequence[LightCurve] | LightCurve,
    star: Mapping[str, float],
    *,
    prior: SpectralPrior | None = None,
    calibration: AnchorCalibration | None = None,
    settings: AnchorSettings | None = None,
) -> Anchor:
    """Light curves of one planet in, spectrum with covariance out; for a notebook of one's own.

    Parameters
    ----------
    light_curves : one LightCurve or all visits of a planet
    star : row of the star table
    prior, calibration : what training learned; defaults that know no label otherwise
    """

    curves = list(light_curves) if isinstance(light_curves, (list, tuple)) else [light_curves]
    anchor = apply_prior(measure_depths(curves, star, settings=settings), prior)
    return anchor if calibration is None else calibrate(anchor, calibration)
