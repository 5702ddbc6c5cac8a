"""What a measurement's flags add to the posterior's covariance: errors that no Gaussian of the fit knows."""

from __future__ import annotations

import math

import numpy as np

from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.priors.spectral_prior import SpectralPrior

# impact parameter; of 1,500 simulated planets nine had one, seven of them 30-85 % deeper than found
_BEYOND_THE_LIMB = 0.98
_ANY_DEPTH = 2.0  # widths of the train planets' depths: such planets are among the deepest
_TROUBLE = (
    flags.NOT_CONVERGED,
    flags.GRAZING,
    flags.NEAR_GRAZING,
    flags.INCOMPLETE_TRANSIT,
    flags.LITTLE_BASELINE,
    flags.ORBIT_FAR,
)
_DETECTED = 8.0  # errors of the level above zero that make a transit sure: docs/decisions.md D27
_IMPLAUSIBLE = 4.0  # widths of ln depth from the population's middle
_UNSETTLED = 0.05  # relative error of the level of a fit that did not converge: docs/decisions.md D27
# Relative errors of the level and of FGS1 against it per share of a visit's frames that is lost, nobody knows
# where: a tenth lost inside the transit moved the level by 0.7-1.3 % and FGS1 by 2-4 % of twelve simulated
# planets, since the time stamps behind it are wrong (docs/decisions.md D25)
_LOST_LEVEL, _LOST_FGS1 = 0.12, 0.35
_MOST_LOST = 0.15  # a larger gap in mid-transit would not fit at all; most likely the visit is short


def doubt(
    measurement: DepthMeasurement,
    prior: SpectralPrior,
    *,
    depth: np.ndarray,
    covariance: np.ndarray,
    impact_parameter: float,
) -> np.ndarray:
    """Covariance (W, W) of the level and of FGS1 against it, beside a posterior's own ``covariance``.

    depth (W,), impact_parameter : of the posterior.
    """
    level, quality = float(depth[1:].mean()), measurement.quality
    variance = 0.0
    if flags.has(measurement.flags, flags.VISITS_DISAGREE):
        variance += (0.5 * quality.get("visit_gap", 0.0)) ** 2
    if flags.has(measurement.flags, flags.NOT_CONVERGED):  # expanded about a point that is not the best one
        variance += (_UNSETTLED * measurement.reference_depth[1:].mean()) ** 2
    if max(quality.get("impact_parameter", 0.0), impact_parameter) > _BEYOND_THE_LIMB:
        # the planet's centre never crosses the limb: a larger planet further out gives the same light curve,
        # far beyond a Gaussian; a fit may stop before the limb where the posterior lies behind it (D105)
        variance += (_ANY_DEPTH * prior.level_width) ** 2
    level_err = math.sqrt(max(float(covariance[1:, 1:].mean()), 0.0))
    doubtful = flags.has(measurement.flags, *_TROUBLE) or level < _DETECTED * level_err
    if doubtful and abs(prior.level_surprise(level)) > _IMPLAUSIBLE:
        # no transit was found, or one of a depth that no planet has: nothing is known
        variance += (level - prior.level) ** 2
    lost = min(quality.get("frames_lost", 0.0), _MOST_LOST) * max(level, 0.0)
    added = np.full(covariance.shape, variance + (_LOST_LEVEL * lost) ** 2)
    added[0, 0] += (_LOST_FGS1 * lost) ** 2
    return added
