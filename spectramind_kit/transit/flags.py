"""Every flag of the anchor's fit, and what it does to the error. A planet with two visits has "<flag> (visit
n)" for what concerns one."""

from __future__ import annotations

from collections.abc import Iterable

# ---------------------------------------------------------------- of one visit
INCOMPLETE_TRANSIT = "incomplete transit"  # less than 98.5 % of T14 was seen: the fit's own error tells
# fewer than 12 points outside the transit, or 3 on one side: the fit's own error tells
LITTLE_BASELINE = "little baseline"
# points, or whole times, that count less than half; they lose weight in the fit
OUTLIERS = "outliers"
MISSING_POINTS = "missing points"  # more than 2 % of the points have no value: the fit does without
POOR_FIT = "poor fit"  # chi^2 of a sensor; its information is divided by it
# noise over tens of minutes, as large as the white one or larger; eliminated as a shared offset
SLOW_NOISE = "slow noise"
# the model does not describe the first tenth (or fifth) of the visit: it has no weight
START_LEFT_OUT = "start left out"
END_LEFT_OUT = "end left out"
# What stage 1 says of a light curve (`detector.flags`) is carried on as it is; of these only fewer frames
# than time stamps does something here: `anchor.mixture` widens the level and FGS1.

# ---------------------------------------------------------------- of a planet
NEAR_GRAZING = "near grazing"  # b > 0.8
# never, or hardly ever, whole in front of the star; beyond b = 0.98 `anchor.mixture` widens
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
