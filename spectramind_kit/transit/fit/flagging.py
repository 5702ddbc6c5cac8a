"""Which fits earn a flag. What each flag says and does to the error: `flags`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.parameters import AIRS, FGS1
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.likelihood.visit_fit import VisitFit

_WHOLE_TRANSIT = 0.985  # share of T14: the rest is a bin of 2.4 min or less
_FEW_OUTSIDE, _SHORT_SIDE = 12, 3  # points in all and on one side: fewer bend a drift of degree 4 (D13)
_OUTLYING = 0.5  # a point that counts less than half
_MANY_OUTLIERS, _OUTLYING_TIMES = 0.02, 3  # share of the points; times at which most of AIRS-CH0 is off
_MANY_MISSING = 0.02  # share of the points
_POOR_AIRS_CHI2, _POOR_FGS1_CHI2 = 1.25, 1.6  # docs/decisions.md D23
_NEAR_GRAZING = 0.8
_GRAZING = 0.9  # b > 1 - 0.9 Rp/Rs: the planet is never, or hardly ever, whole in front of the star
_ORBIT_FAR = 0.2  # |ln| of a/Rs over the star table's; 5 % is usual (docs/decisions.md D14)
VISITS_DISAGREE_SIGMA = 3.5  # errors between the levels of two visits (docs/decisions.md D24)
_SHALLOW_DEPTH, _SHALLOW_SIGMA = 1e-3, 15.0  # docs/decisions.md D27: below 8 errors nothing is believed


def outlier_share(robust: Tensor) -> float:
    """Share of the points whose robust factor (W, T) is below a half."""
    return float((robust < _OUTLYING).double().mean())


def visit_flags(fit: VisitFit, data: VisitData, weight: Tensor, robust: Tensor) -> tuple[str, ...]:
    """``weight`` (W, T) includes the factors ``robust`` (W, T) of outliers."""
    half, since_mid = 0.5 * fit.duration_h, data.time - fit.mid_transit_time
    seen = (weight > 0).any(0)
    outside = [int((seen & side).sum()) for side in (since_mid < -half, since_mid > half)]
    outlying_times = int((robust[AIRS].median(0).values < _OUTLYING).sum())
    told = {
        flags.INCOMPLETE_TRANSIT: fit.coverage < _WHOLE_TRANSIT,
        flags.LITTLE_BASELINE: sum(outside) < _FEW_OUTSIDE or min(outside) < _SHORT_SIDE,
        flags.OUTLIERS: fit.outlier_share > _MANY_OUTLIERS or outlying_times >= _OUTLYING_TIMES,
        flags.sensor_missing("FGS1"): not bool((weight[FGS1] > 0).any()),
        flags.sensor_missing("AIRS-CH0"): not bool((weight[AIRS] > 0).any()),
        flags.MISSING_POINTS: data.missing > _MANY_MISSING,
        flags.POOR_FIT: fit.airs_chi2 > _POOR_AIRS_CHI2 or fit.fgs1_chi2 > _POOR_FGS1_CHI2,
    }
    return tuple(flag for flag, true in told.items() if true)


def planet_flags(fits: Sequence[VisitFit], quality: flags.Quality, *, depth: float) -> tuple[str, ...]:
    """The visits' own, then the planet's. ``depth``: the median of AIRS-CH0."""
    b = quality.impact_parameter
    told = {
        flags.NEAR_GRAZING: b > _NEAR_GRAZING,
        flags.GRAZING: b > 1.0 - _GRAZING * math.sqrt(max(depth, 0.0)),
        flags.SHALLOW_TRANSIT: depth < max(_SHALLOW_DEPTH, _SHALLOW_SIGMA * quality.level_sigma),
        flags.ORBIT_FAR: abs(quality.log_axis_shift) > _ORBIT_FAR,
        flags.VISITS_DISAGREE: quality.visit_gap_sigma > VISITS_DISAGREE_SIGMA,
        flags.NOT_CONVERGED: not quality.converged,
    }
    of_visits = [flags.of_visit(f, v.visit, n_visits=len(fits)) for v in fits for f in v.flags]
    return (*of_visits, *(flag for flag, true in told.items() if true))
