"""The first screen of the report: how well it went, what was submitted and why, where to look first.

Written for somebody who knows neither the kit nor its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.diagnostics.figures.style import counted, number
from spectramind_kit.diagnostics.judged import JudgedSet, judged_sets, typical_pull
from spectramind_kit.diagnostics.planet_numbers import PlanetNumbers
from spectramind_kit.diagnostics.tables import failure_table
from spectramind_kit.inference.uncertainty import LEAST_SCORE
from spectramind_kit.run_folder.results import RunResults

_RUNGS = {  # name in the log: what it is called here, and what it is
    "naive": ("a guess", "the train planets' mean depth and spread, for every planet"),
    "flat depth": (
        "one depth per planet",
        "how deep the whole light curve dips, the same at all wavelengths",
    ),
    "anchor": ("physics fit (the “anchor”)", "a transit model fitted to the light curves"),
    "network": ("neural network", "reads the light curves, has learned from simulated planets"),
    "both": ("physics fit and network together", "weighted by their errors"),
    "final": ("submitted", "what submission.csv holds"),
}
_SUBMITTED = {
    "anchor": "the physics fit alone",
    "network": "the neural network alone",
    "both": "physics fit and neural network together",
}
_FROM = {
    "anchor": "the physics fit",
    "network": "the network",
    "both": "both together",
    "flat depth": "one flat depth",
    "naive": "a guess",
}
_SCALE = "0 is no better than a guess; 1 is an error of 1 ppm in FGS1 and 10 ppm in AIRS-CH0."
_TOO_NARROW, _TOO_WIDE = 1.25, 0.75  # typical pulls that are worth a warning
_CHANCE = 1.17  # over √N: the standard error of a typical pull of N planets whose σ is honest
_OUTLIER = 5.0  # σ, in any bin: no planet is that far off by chance
_MOST = 5


@dataclass(frozen=True)
class Rung:
    """One step of the ladder, with its official score on each set, NaN where it is not known."""

    stage: str
    name: str
    what: str
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Summary:
    """In words; everything is plain text."""

    answer: str
    scale: str  # what its number means; empty where there is none
    sets: tuple[str, ...]  # titles of the ladder's columns
    rungs: tuple[Rung, ...]
    decision: tuple[str, ...]
    look_first: tuple[tuple[int, str], ...]  # planet, what is the matter with it
    warnings: tuple[str, ...]


def summarised(run: RunResults, numbers: Sequence[PlanetNumbers]) -> Summary:
    """``numbers``: `planet_numbers` of the run."""
    sets = judged_sets(run)
    return Summary(
        answer=_answer(run, sets),
        scale=_SCALE if sets else "",
        sets=tuple(f"{len(one)} {_called(one)}" for one in sets),
        rungs=_rungs(run, sets),
        decision=_decision(run, numbers, sets),
        look_first=_look_first(numbers),
        warnings=(*_results(run), *_error_bars(sets), *_flagged(numbers)),
    )


def _called(judged: JudgedSet) -> str:
    return "test planets" if judged.name.startswith("test") else "train planets"


def _answer(run: RunResults, sets: Sequence[JudgedSet]) -> str:
    if not sets:
        planets = " and ".join(
            f"{len(one)} {of}"
            for one, of in ((run.test, "test planets"), (run.oof, "train planets"))
            if one is not None
        )
        return (
            f"Predicted: {planets}. No true depths are known here, so nothing can be scored."
            if planets
            else ("There are no predictions in this folder.")
        )
    first = sets[0]
    score = number(np.clip(first.scores.mean(), 0.0, 1.0), ".3f")
    of = f"on {counted(len(first), _called(first)[:-1])}"
    if _called(first) == "test planets":
        how = "whose true depths are known and which no fit has seen"
    else:
        how = "each predicted by a fit that had not seen its label (the test planets' truth is not known)"
    return f"Official score {score} {of}, {how}."


def _rungs(run: RunResults, sets: Sequence[JudgedSet]) -> tuple[Rung, ...]:
    """Those for which any set has a score."""
    logged = {
        (event.get("split"), event.get("name")): float(event["score"])
        for event in run.of_kind("score")
        if isinstance(event.get("score"), (int, float)) and event.get("name") in ("flat depth", "both")
    }
    found = []
    for stage, (name, what) in _RUNGS.items():
        scores = []
        for one in sets:
            if stage in one.stage_scores:
                scores.append(float(one.stage_scores[stage].mean()))
            else:
                scores.append(0.0 if stage == "naive" else logged.get((one.name, stage), np.nan))
        if np.isfinite(scores).any():
            found.append(Rung(stage, name, what, tuple(scores)))
    return tuple(found)


def _decision(
    run: RunResults, numbers: Sequence[PlanetNumbers], sets: Sequence[JudgedSet]
) -> tuple[str, ...]:
    """What was submitted and why, with the numbers."""
    found = Counter(one.source for one in numbers if one.set == "test")
    counts = ", ".join(f"{count} from {_FROM[source]}" for source, count in found.items())
    sources = [f"Test planets by where their spectrum comes from: {counts}."] if counts else []
    events = run.of_kind("network_share")
    if not events:
        return (*sources, "No network was weighed against the physics fit in this run.")
    chosen = events[-1].get("chosen")
    if chosen == "network":
        why = ["The run was told to submit the network wherever there is one."]
    else:
        planets = f"{len(run.oof)} train planets" if run.oof is not None else "train planets"
        train = next((one for one in sets if one.name.startswith("train")), None)
        why = _weighed(events[-1], planets, {} if train is None else train.stage_scores)
    return (f"Submitted: {_SUBMITTED.get(chosen, chosen)}.", *why, *sources)


def _weighed(event: Mapping, planets: str, scores: Mapping[str, np.ndarray]) -> list[str]:
    """The physics fit against both together, and the network by itself, as the decision counted them.

    ``event`` is the log's; ``scores`` (N,) by stage are those of the train planets.
    """
    shares, told = event.get("shares") or {}, []
    counted_so = {name: np.maximum(of, LEAST_SCORE).mean() for name, of in scores.items()}
    if all(isinstance(event.get(key), (int, float)) for key in ("gain", "gain_error")):
        gain, pair = round(event["gain"], 3) + 0.0, ""  # + 0.0: no −0.000
        # known only where the decision took the physics fit with the σ that its predictions have
        if "anchor" in scores and abs(scores["anchor"].mean() - shares.get("anchor", np.nan)) < 1e-6:
            before, after = (number(counted_so["anchor"] + more, ".3f") for more in (0.0, event["gain"]))
            pair = f" (the physics fit scores {before}, both together {after})"
        left = "so the network was left out" if event.get("chosen") == "anchor" else "so both are used"
        told.append(
            f"Why: on {planets} that neither had learned from, the network adds {number(gain, '+.3f')} ± "
            f"{event['gain_error']:.3f} to the physics fit{pair}. It is used where that is clearly above its "
            f"error, {left}. No planet counts below −1 in these numbers, so that one hopeless planet does "
            "not decide; the ladder above counts them in full."
        )
    if event.get("chosen") == "anchor":
        own = (
            f" (it scores {number(counted_so['network'], '.3f')}, counted so)" if "network" in scores else ""
        )
        told.append(
            f"The network by itself{own} is submitted only where the run is told so "
            "(model.decoder.combine=false)."
        )
    return told


def _look_first(numbers: Sequence[PlanetNumbers]) -> tuple[tuple[int, str], ...]:
    """The lowest scores of the first set that has any; without scores the flagged planets."""
    scored = [one for one in numbers if np.isfinite(one.score)]
    if not scored:
        return tuple((one.planet_id, "; ".join(one.flags)) for one in numbers if one.flags)[:_MOST]
    found = []
    for one in [one for one in scored if one.set == scored[0].set][:_MOST]:
        error = f"FGS1 {number(one.fgs1_error_ppm, '+.0f')} ppm ({number(one.fgs1_pull, '+.1f')} σ)"
        error += f", AIRS-CH0 {number(one.airs_error_ppm, '+.0f')} ppm"
        flags = "; ".join(one.flags) or "no flags"
        found.append((one.planet_id, f"score {number(one.score, '.2f')}; off by {error}; {flags}"))
    return tuple(found)


def _results(run: RunResults) -> list[str]:
    """What does not belong together, was left out, or stands in doubt."""
    told = [str(text) for text in run.stale]
    rows = failure_table(run).rows
    left = Counter((stage, what) for stage, what, _, _ in rows if what.startswith("left out"))
    told += [
        f"{counted(count, 'planet or visit')} {what} in {stage}" for (stage, what), count in left.items()
    ]
    told += [
        f"{stage}: {what} ({reason})"
        for stage, what, who, reason in rows
        if not who and reason and stage != "diagnostics"
    ]
    if run.test is not None:
        stand_ins = sum(
            count for source, count in run.test.counts.items() if source in ("naive", "flat depth")
        )
        told += [f"{counted(stand_ins, 'test planet')} could not be fitted and got a stand-in"] * bool(
            stand_ins
        )
    return told


def _error_bars(sets: Sequence[JudgedSet]) -> list[str]:
    """Whether σ fits the typical planet; the few that are far off are told apart: they say nothing of it."""
    told = []
    for one in sets:
        chance = _CHANCE / np.sqrt(len(one))
        typical = typical_pull(one.pulls[:, :1]), typical_pull(one.pulls[:, 1:])
        many = (
            f"typical errors are {typical[0]:.2f} (FGS1) and {typical[1]:.2f} (AIRS-CH0) times the stated σ"
        )
        if len(one) > 2 and max(typical) > max(_TOO_NARROW, 1.0 + chance):
            told.append(f"error bars are too small on the {_called(one)}: {many}")
        elif len(one) > 2 and max(typical) < min(_TOO_WIDE, 1.0 - chance):
            told.append(f"error bars are larger than needed on the {_called(one)}: {many}")
        told += _outliers(one)
        bad = one.scores < 0
        if bad.any() and not bad.all():
            without = f"without them the mean would be {one.scores[~bad].mean():.3f}"
            told.append(f"worse than a guess: {bad.sum()} of the {len(one)} {_called(one)}; {without}")
    return told


def _outliers(judged: JudgedSet) -> list[str]:
    pulls = np.abs(judged.pulls).max(axis=1)
    order = np.argsort(-pulls)[: (pulls > _OUTLIER).sum()]
    if not order.size:
        return []
    named = ", ".join(f"{judged.predictions.planet_id[row]} ({pulls[row]:.0f} σ)" for row in order[:_MOST])
    more = f" and {order.size - _MOST} more" * (order.size > _MOST)
    who = f"{order.size} of the {len(judged)} {_called(judged)} off by more than {_OUTLIER:.0f} σ somewhere"
    return [f"{who}: {named}{more}. Look at their pages; wider error bars for all would not mend them"]


def _flagged(numbers: Sequence[PlanetNumbers]) -> list[str]:
    carriers = [one for one in numbers if one.flags]
    if not carriers:
        return []
    common = Counter(flag for one in carriers for flag in one.flags).most_common(3)
    names = ", ".join(f"{flag} ({count})" for flag, count in common)
    return [f"{len(carriers)} of {counted(len(numbers), 'planet')} carry flags, most often: {names}"]
