"""A second look at fits in trouble: what if a visit, or an end of one, had not been there?

A model of star, drift and transit does not describe everything that a telescope does. Two such things cost
far more than they need to: a visit that shows no transit (wrong file, wrong time) pulls the common depth to
half, and a start or an end that has not settled yet bends the drift into the transit. Both are tried without,
and left out where that is clearly better; the flag says so (docs/decisions.md D24).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from spectramind_kit.transit import flags
from spectramind_kit.transit.fit.flagging import VISITS_DISAGREE_SIGMA
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.priors.raw_depths import raw_spectrum

# common noise over the error of a white bin, beyond which the ends are tried, and beyond which what is left
# is flagged: 2 of 226 clean visits from frames pass 1, none 1.25 (docs/decisions.md D24)
_SLOW_NOISE, _SLOW_FLAG = 1.25, 1.5
_SHARES = (0.1, 0.2)  # of the visit that is left out at one end
_BETTER = 0.5  # the slow noise must fall to this share of what it was
_SAME = 0.15  # of two cuts whose slow noise is this close the smaller one is taken
_FEWEST_LEFT = 4  # points between the cut and the transit
_SHOWS_TRANSIT = 8.0  # errors of the level above zero

_IN_TROUBLE = (flags.VISITS_DISAGREE, flags.NOT_CONVERGED, flags.POOR_FIT, flags.NO_INFORMATION)

Fit = Callable[[Sequence[PlanetCase]], list[DepthMeasurement]]


@dataclass(frozen=True)
class _Trial:
    """One planet fitted otherwise."""

    planet: int
    case: PlanetCase
    visit: int
    share: float = 0.0  # of the visit that is left out; 0 where a whole visit is


_Planet = tuple[PlanetCase, DepthMeasurement]
_Fitted = tuple[_Trial, DepthMeasurement]


def second_look(
    cases: Sequence[PlanetCase], measurements: Sequence[DepthMeasurement], fit: Fit
) -> list[DepthMeasurement]:
    """The measurements, with those in trouble replaced where leaving something out is clearly better.

    ``fit`` takes several planets; all trials of one kind are fitted together.
    """
    looked_at = list(zip(cases, measurements, strict=True))
    for trials, choose in ((_single_visits, _choose_visit), (_cut_ends, _choose_cut)):
        looked_at = _tried(looked_at, trials(looked_at), fit, choose)
    return [_flagged(m) for _, m in looked_at]


def _tried(
    looked_at: list[_Planet],
    trials: list[_Trial],
    fit: Fit,
    choose: Callable[[DepthMeasurement, list[_Fitted]], _Fitted | None],
) -> list[_Planet]:
    """The planets, with those that ``choose`` finds better otherwise replaced."""
    fitted = list(zip(trials, fit([t.case for t in trials]), strict=True)) if trials else []
    found = []
    for k, (case, m) in enumerate(looked_at):
        own = [pair for pair in fitted if pair[0].planet == k]
        chosen = choose(m, own) if own else None
        found.append((case, m) if chosen is None else (chosen[0].case, chosen[1]))
    return found


# ---------------------------------------------------------------- a visit that shows nothing


def _single_visits(looked_at: Sequence[_Planet]) -> list[_Trial]:
    """Each visit alone, of planets whose joint fit is in trouble."""
    return [
        _Trial(k, replace(case, visits=[v]), v.visit)
        for k, (case, m) in enumerate(looked_at)
        if len(case.visits) > 1 and flags.has(m.flags, *_IN_TROUBLE)
        for v in case.visits
    ]


def _choose_visit(joint: DepthMeasurement, alone: list[_Fitted]) -> _Fitted | None:
    """The visits that show a transit: if only one does, it stands alone; if both do, apart but not together,
    the one that tells more."""
    levels = [(pair, *_level(pair[1])) for pair in alone]
    showing = [(pair, error) for pair, level, error in levels if level > _SHOWS_TRANSIT * error]
    settled = [(p, e) for p, e in showing if not flags.has(p[1].flags, flags.NOT_CONVERGED)]
    # a sound fit of visits that differ a little: half of the difference is added to the error
    sound = not flags.has(joint.flags, flags.NOT_CONVERGED, flags.NO_INFORMATION)
    both = len(showing) == len(alone)
    if not showing or (both and (_really_disagree(levels) or sound or not settled)):
        return None
    (trial, measurement), _ = min(settled or showing, key=lambda s: s[1])
    shown, others = {p[0].visit for p, _ in showing}, []
    for t, _ in alone:
        if t.visit != trial.visit:
            why = "it does not fit together with the other" if t.visit in shown else "it shows no transit"
            others.append(flags.visit_not_used(t.visit, why))
    case = replace(trial.case, flags=(*trial.case.flags, *others))
    return replace(trial, case=case), replace(measurement, flags=(*measurement.flags, *others))


def _really_disagree(levels: Sequence[tuple[object, float, float]]) -> bool:
    """Whether two visits, each alone, show different depths: then both stay, and the error covers both."""
    return any(
        abs(a - b) > VISITS_DISAGREE_SIGMA * math.hypot(error_a, error_b)
        for (_, a, error_a), (_, b, error_b) in combinations(levels, 2)
    )


def _level(m: DepthMeasurement) -> tuple[float, float]:
    """Mean depth over AIRS-CH0 (FGS1 if that is all there is) and its error, without a prior on spectra."""
    if not m.visits:
        return 0.0, math.inf
    depth, covariance = raw_spectrum(m)
    known = (m.depth_information > 0).nonzero()[0]
    if not len(known):
        return 0.0, math.inf
    bins = known[known > 0] if (known > 0).any() else known
    return float(depth[bins].mean()), math.sqrt(max(float(covariance[bins[:, None], bins].mean()), 1e-30))


# ---------------------------------------------------------------- an end that has not settled


def _cut_ends(looked_at: Sequence[_Planet]) -> list[_Trial]:
    """The first and the last part left out, of visits with slow noise. Whether that leaves a baseline on that
    side is asked afterwards: a fit that a ramp has bent does not know where its transit begins."""
    return [
        _cut_end(k, case, fit.visit, share, at_start)
        for k, (case, m) in enumerate(looked_at)
        for fit in m.visits
        if fit.slow_noise > _SLOW_NOISE
        for share in _SHARES
        for at_start in (True, False)
    ]


def _cut_end(planet: int, case: PlanetCase, visit: int, share: float, at_start: bool) -> _Trial:
    visits = [_without_end(v, share=share, at_start=at_start) if v.visit == visit else v for v in case.visits]
    name = flags.START_LEFT_OUT if at_start else flags.END_LEFT_OUT
    flag = flags.of_visit(name, visit, n_visits=len(visits))
    return _Trial(planet, replace(case, visits=visits, flags=(*case.flags, flag)), visit, share)


def _without_end(data: VisitData, *, share: float, at_start: bool) -> VisitData:
    """The visit with its first or last ``share`` without weight."""
    low, high = data.span
    kept = data.time >= low + share * (high - low) if at_start else data.time <= high - share * (high - low)
    return replace(data, weight=data.weight * kept[:, None])


def _choose_cut(whole: DepthMeasurement, cuts: list[_Fitted]) -> _Fitted | None:
    """The smallest cut that leaves no slow noise, or none: half a cure may be of the wrong end."""
    better = []
    for trial, m in cuts:
        before, fit = _visit(whole, trial.visit), _visit(m, trial.visit)
        torn = flags.has(m.flags, flags.NOT_CONVERGED) and not flags.has(whole.flags, flags.NOT_CONVERGED)
        if (
            fit is not None
            and not torn
            and fit.slow_noise <= min(_SLOW_NOISE, _BETTER * before.slow_noise)
            and _has_baseline(trial, fit)
        ):
            better.append((trial.share, fit.slow_noise, trial, m))
    if not better:
        return None
    least = min(slow for _, slow, _, _ in better)
    return min((b for b in better if b[1] <= least + _SAME), key=lambda b: b[:2])[2:]


def _visit(m: DepthMeasurement, visit: int) -> VisitFit | None:
    return next((v for v in m.visits if v.visit == visit), None)


def _has_baseline(trial: _Trial, fit: VisitFit) -> bool:
    """Whether points with weight are left on each side of the transit, if the visit has that side."""
    data = next(v for v in trial.case.visits if v.visit == trial.visit)
    seen, half = (data.weight > 0).any(1), 0.5 * fit.duration_h
    sides = data.time < fit.mid_transit_time - half, data.time > fit.mid_transit_time + half
    return all(int((seen & side).sum()) >= _FEWEST_LEFT or not bool(side.any()) for side in sides)


def _flagged(m: DepthMeasurement) -> DepthMeasurement:
    """With a flag for slow noise that is still there."""
    slow = [
        flags.of_visit(flags.SLOW_NOISE, v.visit, n_visits=len(m.visits))
        for v in m.visits
        if v.slow_noise > _SLOW_FLAG
    ]
    return replace(m, flags=(*m.flags, *slow)) if slow else m
