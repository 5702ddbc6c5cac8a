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

from spectramind_kit.transit import flags
from spectramind_kit.transit.fit.problem import PlanetCase
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.visit_data import VisitData
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.priors.raw_depths import raw_spectrum

# shared noise over the error of a white bin, beyond which the ends are tried; 2 of 226 clean visits from
# frames pass 1
SLOW_NOISE = 1.25
_SLOW_FLAG = 1.5  # the same, beyond which what is left is flagged; none of the 226 reaches 1.25
_SHARES = (0.1, 0.2)  # of the visit that is left out at one end
_BETTER = 0.5  # the slow noise must fall to this share of what it was
_SAME = 0.15  # of two cuts whose slow noise is this close the smaller one is taken
_FEWEST_LEFT = 4  # points between the cut and the transit
_SHOWS_TRANSIT = 8.0  # errors of the level above zero
_DISAGREE = 3.5  # errors between the levels of two visits

Measure = Callable[[Sequence[PlanetCase]], list[DepthMeasurement]]


@dataclass(frozen=True)
class _Trial:
    """One planet measured otherwise. ``share`` of the visit that is left out; 0 where a whole visit is."""

    planet: int
    case: PlanetCase
    visit: int
    share: float = 0.0


def second_look(
    cases: Sequence[PlanetCase], measurements: Sequence[DepthMeasurement], measure: Measure
) -> list[DepthMeasurement]:
    """The measurements, with those in trouble replaced where leaving something out is clearly better.

    ``measure`` fits several planets; all trials of one kind are fitted together.
    """
    cases, found = list(cases), list(measurements)
    _try(_single_visits(cases, found), cases, found, measure, _choose_visit)
    _try(_cut_ends(cases, found), cases, found, measure, _choose_cut)
    return [_flagged(m) for m in found]


def _try(
    trials: list[_Trial],
    cases: list[PlanetCase],
    found: list[DepthMeasurement],
    measure: Measure,
    choose: Callable[
        [DepthMeasurement, list[tuple[_Trial, DepthMeasurement]]], tuple[_Trial, DepthMeasurement] | None
    ],
) -> None:
    if not trials:
        return
    results = measure([t.case for t in trials])
    for planet in dict.fromkeys(t.planet for t in trials):
        chosen = choose(
            found[planet], [(t, m) for t, m in zip(trials, results, strict=True) if t.planet == planet]
        )
        if chosen is not None:
            cases[planet], found[planet] = chosen[0].case, chosen[1]


# ---------------------------------------------------------------- a visit that shows nothing


def _single_visits(cases: Sequence[PlanetCase], found: Sequence[DepthMeasurement]) -> list[_Trial]:
    """Each visit alone, of planets whose joint fit is in trouble."""
    trials = []
    for k, (case, m) in enumerate(zip(cases, found, strict=True)):
        if len(case.visits) > 1 and flags.has(
            m.flags, flags.VISITS_DISAGREE, flags.NOT_CONVERGED, flags.POOR_FIT, flags.NO_INFORMATION
        ):
            trials += [_Trial(k, replace(case, visits=[v]), v.visit) for v in case.visits]
    return trials


def _choose_visit(
    joint: DepthMeasurement, alone: list[tuple[_Trial, DepthMeasurement]]
) -> tuple[_Trial, DepthMeasurement] | None:
    """The visits that show a transit: if only one does, it stands alone; if both do, apart but not together,
    the one that tells more."""
    levels = [(pair, *_level(pair[1])) for pair in alone]
    showing = [(pair, error) for pair, level, error in levels if level > _SHOWS_TRANSIT * error]
    if not showing or (len(showing) == len(alone) and _really_disagree(levels)):
        return None
    if len(showing) == len(alone) and not flags.has(joint.flags, flags.NOT_CONVERGED, flags.NO_INFORMATION):
        # a sound fit of visits that differ a little: half of the difference is added to the error
        return None
    settled = [(p, e) for p, e in showing if not flags.has(p[1].flags, flags.NOT_CONVERGED)]
    if len(showing) == len(alone) and not settled:
        return None
    (trial, measurement), _ = min(settled or showing, key=lambda s: s[1])
    shown = {p[0].visit for p, _ in showing}
    others = tuple(
        flags.visit_not_used(
            t.visit, "it does not fit together with the other" if t.visit in shown else "it shows no transit"
        )
        for t, _ in alone
        if t.visit != trial.visit
    )
    return replace(trial, case=replace(trial.case, flags=(*trial.case.flags, *others))), replace(
        measurement, flags=(*measurement.flags, *others)
    )


def _really_disagree(levels: Sequence[tuple[object, float, float]]) -> bool:
    """Whether two visits, each alone, show different depths: then both stay, and the error covers both."""
    return any(
        abs(a - b) > _DISAGREE * math.hypot(error_a, error_b)
        for k, (_, a, error_a) in enumerate(levels)
        for _, b, error_b in levels[:k]
    )


def _level(m: DepthMeasurement) -> tuple[float, float]:
    """Mean depth over AIRS-CH0 (over FGS1 where that is all there is) and its error, without a prior on the
    spectrum."""
    if not m.visits:
        return 0.0, math.inf
    depth, covariance = raw_spectrum(m)
    known = (m.depth_information > 0).nonzero()[0]
    if not len(known):
        return 0.0, math.inf
    bins = known[known > 0] if (known > 0).any() else known
    return float(depth[bins].mean()), math.sqrt(max(float(covariance[bins[:, None], bins].mean()), 1e-30))


# ---------------------------------------------------------------- an end that has not settled


def _cut_ends(cases: Sequence[PlanetCase], found: Sequence[DepthMeasurement]) -> list[_Trial]:
    """The first and the last part left out, of visits with slow noise. Whether that leaves a baseline on that
    side is asked afterwards: a fit that a ramp has bent does not know where its transit begins."""
    trials = []
    for k, (case, m) in enumerate(zip(cases, found, strict=True)):
        for fit in m.visits:
            if fit.slow_noise <= SLOW_NOISE:
                continue
            (place,) = (i for i, v in enumerate(case.visits) if v.visit == fit.visit)
            for share in _SHARES:
                for at_start in (True, False):
                    cut = _without_end(case.visits[place], share=share, at_start=at_start)
                    visits = [*case.visits[:place], cut, *case.visits[place + 1 :]]
                    name = flags.START_LEFT_OUT if at_start else flags.END_LEFT_OUT
                    flag = flags.of_visit(name, fit.visit, n_visits=len(case.visits))
                    trials.append(
                        _Trial(k, replace(case, visits=visits, flags=(*case.flags, flag)), fit.visit, share)
                    )
    return trials


def _without_end(data: VisitData, *, share: float, at_start: bool) -> VisitData:
    """The visit with its first or last ``share`` without weight."""
    low, high = data.span
    kept = data.time >= low + share * (high - low) if at_start else data.time <= high - share * (high - low)
    return replace(data, weight=data.weight * kept[:, None])


def _choose_cut(
    whole: DepthMeasurement, cuts: list[tuple[_Trial, DepthMeasurement]]
) -> tuple[_Trial, DepthMeasurement] | None:
    """The smallest cut without which there is no slow noise any more, or none: half a cure is none, and may
    be of the wrong end."""
    better = []
    for trial, m in cuts:
        before, fit = _visit(whole, trial.visit), _visit(m, trial.visit)
        torn = flags.has(m.flags, flags.NOT_CONVERGED) and not flags.has(whole.flags, flags.NOT_CONVERGED)
        if (
            fit is not None
            and not torn
            and fit.slow_noise <= min(SLOW_NOISE, _BETTER * before.slow_noise)
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
    """Whether points with weight are left on both sides of the transit, or the transit is off the side by
    itself."""
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
