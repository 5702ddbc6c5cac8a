"""Every flag of the anchor's fit and every number of its quality, and what each does to the error.

A planet with two visits has "<flag> (visit n)" for what concerns one. Which fits earn a flag: `fit.flagging`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# ---------------------------------------------------------------- of one visit
INCOMPLETE_TRANSIT = "incomplete transit"  # less than 98.5 % of T14 was seen: the fit's own error tells
# fewer than 12 points outside the transit, or 3 on one side: the fit's own error tells
LITTLE_BASELINE = "little baseline"
OUTLIERS = "outliers"  # points, or whole times, that count less than half; they lose weight in the fit
MISSING_POINTS = "missing points"  # more than 2 % of the points have no value: the fit does without
POOR_FIT = "poor fit"  # chi^2 of a sensor; its information is divided by it
SLOW_NOISE = "slow noise"  # over tens of minutes, beyond 1.5 of the white one; eliminated as a common offset
# the model does not describe the first tenth (or fifth) of the visit: it has no weight
START_LEFT_OUT = "start left out"
END_LEFT_OUT = "end left out"
# What stage 1 says of a light curve (`detector.flags`) is carried on as it is; of these only fewer frames
# than time stamps does something here: see `Quality.frames_lost`.

# ---------------------------------------------------------------- of a planet
NEAR_GRAZING = "near grazing"  # b > 0.8
# never, or hardly ever, whole in front of the star; beyond b = 0.98 `anchor.doubt` widens
GRAZING = "grazing"
SHALLOW_TRANSIT = "shallow transit"  # below 0.1 %, or below 15 errors of the level
ORBIT_FAR = "orbit far from the star table"  # a/Rs by more than 20 %
VISITS_DISAGREE = "visits disagree"  # half of the difference is added to the level's error
NOT_CONVERGED = "not converged"  # 5 % of the depth is added to the level's error
TABLE_INCOMPLETE = "star table incomplete"  # medians stand in for what is missing
NO_INFORMATION = "no information"  # the anchor is the prior with its width


def sensor_missing(sensor: str) -> str:
    """The other sensor tells the depths of both; the prior's width between them is in the error."""
    return f"{sensor} missing"


def visit_not_used(visit: int, why: str) -> str:
    """The planet's other visit stands alone."""
    return f"visit {visit} not used: {why}"


def fit_failed(error: Exception) -> str:
    """Something broke that data should not break; the planet has no information."""
    return f"fit failed: {type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else ''}"


def of_visit(flag: str, visit: int, *, n_visits: int) -> str:
    """The flag as a planet carries it."""
    return flag if n_visits == 1 else f"{flag} (visit {visit})"


def has(flags: Iterable[str], *which: str) -> bool:
    """Whether any of ``which`` is among a planet's flags, of whichever visit."""
    return any(flag == name or flag.startswith(f"{name} (visit ") for flag in flags for name in which)


@dataclass(frozen=True)
class Quality:
    """`DepthMeasurement.quality`, by name; the defaults are those of a planet without information.

    All are features of the anchor's error as ``quality_<name>``; `anchor.calibration` predicts with some.
    """

    airs_chi2: float = 1.0  # largest of the visits; a predictor
    fgs1_chi2: float = 1.0  # largest of the visits
    n_out_of_transit: float = 0.0  # times, of all visits; a predictor
    coverage: float = 0.0  # smallest observed share of T14
    outlier_share: float = 0.0  # largest of the visits
    common_noise: float = 0.0  # largest of the visits, relative flux per bin
    # share of frames that a sensor lacks, smallest of the visits (a whole visit tells how long the transit
    # is, so that a gap in the other would not fit): the anchor widens the level and FGS1
    frames_lost: float = 0.0
    fgs1_red: float = 1.0  # variance of slow noise over that of white noise, largest of the visits
    fgs1_scale: float = 1.0  # scatter over flux_err, largest of the visits
    airs_scale: float = 1.0  # its median over the wavelengths
    log_flux: float = 16.0  # ln e- per exposure, AIRS-CH0; tells a faint star; a predictor
    level_sigma: float = 0.01  # error of the depth's level in the fit
    visit_gap: float = 0.0  # between the visits' levels, depth: half is added where they disagree
    visit_gap_sigma: float = 0.0  # the same in its errors
    n_visits: float = 0.0  # a predictor
    impact_parameter: float = 0.0  # beyond 0.98 `anchor.doubt` adds twice the spread of all depths
    duration_h: float = 0.0  # T14
    log_axis_shift: float = 0.0  # ln of a/Rs over the star table's
    iterations: float = 0.0
    converged: float = 0.0
    drift_size: float = 0.0  # largest coefficient of AIRS-CH0, relative flux
