"""The anchor's flags for a reader who has not written them."""

from __future__ import annotations

import re

from spectramind_kit.transit import flags

IN_WORDS = {
    flags.INCOMPLETE_TRANSIT: "part of the transit lies outside the visit",
    flags.LITTLE_BASELINE: "the visit shows little of the star before or after the transit",
    flags.OUTLIERS: "some points lie far off the rest and count less",
    flags.MISSING_POINTS: "more than 2 % of the points have no value",
    flags.POOR_FIT: "the fit leaves more than noise; its error is widened",
    flags.SLOW_NOISE: "the star or the detector varies over tens of minutes",
    flags.START_LEFT_OUT: "the model does not describe the beginning of the visit, which has no weight",
    flags.END_LEFT_OUT: "the model does not describe the end of the visit, which has no weight",
    flags.NEAR_GRAZING: "the planet crosses the star far from its middle",
    flags.GRAZING: "the planet only touches the edge of the star: its depth can hardly be told",
    flags.SHALLOW_TRANSIT: "the transit is shallow against its noise",
    flags.ORBIT_FAR: "the light curve asks for another orbit than the star table gives",
    flags.VISITS_DISAGREE: "the visits give different depths; the error is widened",
    flags.NOT_CONVERGED: "the fit did not come to an end; the error is widened",
    flags.TABLE_INCOMPLETE: "the star table lacks numbers; medians stand in",
    flags.NO_INFORMATION: "the light curve says nothing: the prediction is what is usual",
}
_OF_A_VISIT = re.compile(r" \((visit \d+)\)$")


def in_words(flag: str) -> str:
    """What a flag means; one that is a sentence of its own already (stage 1's) stays as it is."""
    visit = _OF_A_VISIT.search(flag)
    name = _OF_A_VISIT.sub("", flag)
    words = IN_WORDS.get(name)
    if words is None:
        return flag
    return f"{name}{f' in {visit[1]}' if visit else ''}: {words}"
