"""Recipes: one planet alone; priors and calibration from train planets, each out of fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spectramind_kit.metric import Metric
from spectramind_kit.transit.anchor.calibration import AnchorCalibration, calibrate
from spectramind_kit.transit.anchor.calibration_fit import fit_calibration
from spectramind_kit.transit.anchor.label_rows import label_rows
from spectramind_kit.transit.anchor.mixture import apply_prior
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.fit.planets import measure_depths
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.priors.learn_nuisance import learn_nuisances
from spectramind_kit.transit.priors.learn_spectral_prior import learn_spectral_prior
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.priors.spectral_prior import SpectralPrior, default_spectral_prior
from spectramind_kit.transit.settings import AnchorSettings
from spectramind_kit.transit.star_row import star_row

if TYPE_CHECKING:
    import pandas as pd

    from spectramind_kit.detector.light_curve import LightCurve

Learned = TypeVar("Learned")


@dataclass(frozen=True)
class CrossFit:
    """What `cross_fit` learned. N train planets, in the order given."""

    anchors: tuple[Anchor, ...]  # N, held out, calibrated by planets other than themselves
    uncalibrated: tuple[Anchor, ...]  # the same before calibration
    prior: SpectralPrior  # from all train planets, for the test planets
    calibration: AnchorCalibration  # the same

    def predict(self, measurement: DepthMeasurement) -> Anchor:
        """The calibrated anchor of a new planet."""
        return calibrate(apply_prior(measurement, self.prior), self.calibration)


def assign_folds(n: int, *, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Fold number (n,) of each planet, sizes equal within one."""
    numbers = np.arange(n) % max(min(folds, n), 1)
    return np.random.default_rng(seed).permutation(numbers)


def learn_priors(
    measurements: Sequence[DepthMeasurement],
    depths: pd.DataFrame | Mapping[int, np.ndarray] | np.ndarray,
    *,
    settings: AnchorSettings | None = None,
) -> SpectralPrior:
    """Spectral and nuisance priors from train planets and their labels, as `label_rows` takes them.

    Shapes come from the labels, the rest from light curves given labels; ``settings`` are those of the
    measurements, whose widths are the priors that the learned ones start from.
    """
    depths = label_rows(measurements, depths)
    default = NuisancePrior.from_settings(settings)
    nuisance, mismatch = learn_nuisances(measurements, depths, default=default)
    return learn_spectral_prior(
        depths,
        measurements[0].wavelength_um,
        stars=[m.star for m in measurements],
        nuisance=nuisance,
        mismatch=mismatch,
    )


def cross_fit(
    measurements: Sequence[DepthMeasurement],
    depths: pd.DataFrame | Mapping[int, np.ndarray] | np.ndarray,
    *,
    folds: np.ndarray | int = 5,
    seed: int = 0,
    metric: Metric | None = None,
    settings: AnchorSettings | None = None,
) -> CrossFit:
    """Learn the priors and the calibration, out of fold.

    Parameters
    ----------
    measurements : N `DepthMeasurement` of the train planets
    depths : labels by planet, a frame as `read_labels` gives it or a mapping planet_id -> (W,); or an array
        (N, W) in the order of the measurements
    folds : (N,) fold numbers, or how many folds to make (with ``seed``)
    metric : by default the one whose naive prediction is that of ``depths``
    settings : of the measurements

    Raises
    ------
    DataError
        Counts that do not fit, no planet at all, a planet without a label or with two.
    """
    depths, n = label_rows(measurements, depths), len(measurements)
    numbers = assign_folds(n, folds=folds, seed=seed) if isinstance(folds, int) else np.asarray(folds)
    metric = metric or Metric.of(depths)

    def priors(rows: np.ndarray) -> SpectralPrior:
        rows = rows if len(rows) else np.arange(n)  # one fold only
        return learn_priors([measurements[k] for k in rows], depths[rows], settings=settings)

    uncalibrated = _out_of_fold(numbers, priors, lambda k, prior: apply_prior(measurements[k], prior))
    calibration = fit_calibration(uncalibrated, depths, metric=metric)

    def recalibrated(rows: np.ndarray) -> AnchorCalibration:
        own = [uncalibrated[k] for k in rows]
        return fit_calibration(own, depths[rows], metric=metric, strength=calibration.strength)

    anchors = uncalibrated
    if not calibration.identity:
        anchors = _out_of_fold(numbers, recalibrated, lambda k, own: calibrate(uncalibrated[k], own))
    return CrossFit(anchors, uncalibrated, priors(np.arange(n)), calibration)


def _out_of_fold(
    numbers: np.ndarray, learn: Callable[[np.ndarray], Learned], predict: Callable[[int, Learned], Anchor]
) -> tuple[Anchor, ...]:
    """The anchor of each planet, from what ``learn`` finds on the planets (their rows) of the other folds."""
    learned = {value: learn(np.flatnonzero(numbers != value)) for value in np.unique(numbers)}
    return tuple(predict(k, learned[value]) for k, value in enumerate(numbers))


def fit_anchor(
    light_curves: Sequence[LightCurve] | LightCurve,
    star: Mapping[str, float] | pd.Series | pd.DataFrame,
    *,
    prior: SpectralPrior | None = None,
    calibration: AnchorCalibration | None = None,
    settings: AnchorSettings | None = None,
) -> Anchor:
    """Light curves of one planet in, spectrum with covariance out; for a notebook of one's own.

    Parameters
    ----------
    light_curves : one LightCurve or all visits of a planet
    star : the planet's row of the star table: ``stars.loc[planet_id]``, a dict, or a frame of one row
    prior, calibration : what training learned; defaults that know no label otherwise

    Raises
    ------
    DataError
        No light curve, those of two planets, or a star without an orbit.
    """
    curves = list(light_curves) if isinstance(light_curves, (list, tuple)) else [light_curves]
    row = star_row(star, planet_id=curves[0].planet_id) if curves else {}
    measurement = measure_depths(curves, row, settings=settings)
    if prior is None:
        nuisance = NuisancePrior.from_settings(settings)
        prior = default_spectral_prior(measurement.wavelength_um, nuisance=nuisance)
    anchor = apply_prior(measurement, prior)
    return anchor if calibration is None else calibrate(anchor, calibration)
