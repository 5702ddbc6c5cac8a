"""Depths as the light curves alone give them: no prior on the spectrum."""

from __future__ import annotations

import numpy as np

from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import Projected
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior, NuisanceTable


def raw_spectrum(
    measurement: DepthMeasurement, *, nuisance: NuisancePrior | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Depths (W,) and covariance (W, W) under the nuisance priors alone: no prior on the spectrum."""
    precision, pull = (nuisance or NuisancePrior()).terms(NuisanceTable.of([measurement]))
    w = len(measurement.reference_depth)
    # depth 0.1: no information, but a finite error where the data have none
    weak = np.eye(w)[None] / 0.1**2
    posterior = Projected.of(measurement, np.eye(w), measurement.reference_depth).solve(
        weak, precision, pull, basis_mean=np.zeros((1, w))
    )
    return measurement.reference_depth + posterior.step[0, :w], posterior.covariance[0, :w, :w]
