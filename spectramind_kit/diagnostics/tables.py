"""Tables of the report: scores, timings, backends, environment, flags and failures, as plain rows of text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spectramind_kit.diagnostics.figures.style import PPM
from spectramind_kit.diagnostics.judged import NO_LABELS, bootstrap_interval, judged_sets, rms, typical_pull
from spectramind_kit.diagnostics.visits import (
    planets_with_light_curves,
    stored_light_curves,
    stored_measurement,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.runtime import format_seconds

Row = tuple[str, ...]
_SETTINGS = ("profile", "seed", "data_dir")
# Keys of a stage's record in run.json that tell what was left out, or stands in doubt.
_LEFT_OUT = ("left_naive", "anchor_left_out_for", "network_left_out", "network_failed", "bundle_failed")
_DOUBTS = (*_LEFT_OUT, "bundle_doubts", "other_data")


@dataclass(frozen=True)
class Table:
    """One table of the report."""

    title: str
    header: Row
    rows: list[Row]
    empty_because: str  # shown where there are no rows


def all_tables(run: RunResults) -> list[Table]:
    """Every table of the report, in its order."""
    tables = (score_table, timing_table, failure_table, backend_table, environment_table)
    return [table(run) for table in tables]


def score_table(run: RunResults) -> Table:
    """Stages by set: score with bootstrap interval, rms error of FGS1 and AIRS, robust width of the pulls."""
    rows = []
    for judged in judged_sets(run):
        for stage, scores in judged.stage_scores.items():
            low, high = bootstrap_interval(scores)
            shown = judged.at(stage)
            errors = [f"{rms(PPM * part):.0f}" for part in (shown.error[:, 0], shown.error[:, 1:])]
            widths = [f"{typical_pull(part):.2f}" for part in (shown.pulls[:, 0], shown.pulls[:, 1:])]
            name, score = "submitted" if stage == "final" else stage, np.clip(scores.mean(), 0, 1)
            rows.append((judged.name, name, f"{score:.4f}", f"{low:.3f} … {high:.3f}", *errors, *widths))
    spread = ("rms FGS1 (ppm)", "rms AIRS (ppm)", "pull width FGS1", "pull width AIRS")
    return Table("Scores", ("set", "stage", "score", "95 % of bootstrap", *spread), rows, NO_LABELS)


def timing_table(run: RunResults) -> Table:
    """Seconds and peak memory of each step, the newest run of it; then each stage as a whole."""
    latest = {(str(e.get("stage", "")), str(e.get("name", ""))): e for e in run.of_kind("stage")}
    rows = []
    for (stage, name), event in latest.items():
        seconds, memory = event.get("seconds"), event.get("peak_memory_mb")
        step = "the whole stage" if event.get("total") else name
        took = format_seconds(float(seconds)) if isinstance(seconds, (int, float)) else "–"
        peak = f"{memory:.0f}" if isinstance(memory, (int, float)) else "–"
        rows.append((stage, step, str(event.get("status", "")), took, peak))
    header = ("stage", "step", "status", "wall time", "peak memory (MB)")
    return Table("Time and memory", header, rows, "metrics.jsonl holds no timings")


def failure_table(run: RunResults) -> Table:
    """What was left out or marked, with the reason."""
    rows = []
    for stage, record in _stage_records(run):
        for key, entry in record.items():
            if key.startswith("failed_") and isinstance(entry, list):
                what = f"left out ({key.removeprefix('failed_')})"
                failures = [failure for failure in entry if isinstance(failure, Mapping)]
                rows += [(stage, what, _who(one), str(one.get("error"))[:300]) for one in failures]
            elif key == "sources" and isinstance(entry, Mapping):
                rows += [(stage, f"predicted by: {name}", str(count), "") for name, count in entry.items()]
            elif key in _DOUBTS and entry:
                rows.append((stage, key.replace("_", " "), "", str(entry)))
    rows += _flag_rows(run)
    rows += [("diagnostics", "note", "", note) for note in run.notes]
    header = ("stage", "what", "planet", "reason")
    return Table("Flags and failures", header, rows, "none: every planet went through")


def backend_table(run: RunResults) -> Table:
    """Which path of each replaceable part ran, and the settings of the run."""
    rows = [("setting", name, str(run.info[name])) for name in _SETTINGS if name in run.info]
    for stage, record in _stage_records(run):
        if record.get("overrides"):
            rows.append(("overrides", stage, " ".join(map(str, record["overrides"]))))
        # where it is not that of the last stage
        others = [name for name in _SETTINGS if name in record and record[name] != run.info.get(name)]
        rows += [(f"setting of {stage}", name, str(record[name])) for name in others]
    rows += _decisions(run)
    rows += [("backend", str(name), str(choice)) for name, choice in (run.info.get("backends") or {}).items()]
    return Table("Settings and backends", ("kind", "name", "value"), rows, "run.json holds none")


def environment_table(run: RunResults) -> Table:
    """Python, machine and package versions."""
    environment = run.info.get("environment") or {}
    rows = [(str(name), str(value)) for name, value in environment.items() if not isinstance(value, Mapping)]
    packages = environment.get("packages") or {}
    rows += [(str(name), str(version) if version else "not installed") for name, version in packages.items()]
    return Table("Environment", ("what", "version"), rows, "run.json holds no environment")


def _stage_records(run: RunResults) -> Iterator[tuple[str, Mapping]]:
    """What each stage has said of itself in ``run.json``."""
    for stage, record in (run.info.get("stages") or {}).items():
        if isinstance(record, Mapping):
            yield stage, record


def _who(failure: Mapping) -> str:
    visit = failure.get("visit")
    return f"{failure.get('planet_id')}" + (f", visit {visit}" if visit is not None else "")


def _flag_rows(run: RunResults, *, max_planets: int = 300) -> list[Row]:
    """Flags of the light curves and of the anchor's measurements, counted, with the first planets of each."""
    carriers: dict[str, list[int]] = defaultdict(list)
    for planet in planets_with_light_curves(run)[:max_planets]:
        try:
            carrying = [stored_measurement(run, planet), *stored_light_curves(run, planet)]
            flags = {flag for one in carrying for flag in one.flags}
        except DataError as error:
            flags = {f"unreadable: {error.what}"}
        for flag in sorted(flags):
            carriers[flag].append(planet)
    rows = []
    for flag, planets in sorted(carriers.items(), key=lambda carried: -len(carried[1])):
        who = ", ".join(map(str, planets[:6])) + (" …" if len(planets) > 6 else "")
        rows.append(("anchor", f"flag: {flag}", f"{len(planets)}: {who}", ""))
    return rows


def _decisions(run: RunResults) -> list[Row]:
    """How far the network is trusted and how σ is scaled, as decided on planets not seen in training."""
    rows = []
    for event in run.of_kind("network_share")[-1:]:
        gain, error = event.get("gain"), event.get("gain_error")
        known = None not in (gain, error)
        how = f" (the network adds {gain:+.4f} ± {error:.4f}, out of fold)" if known else ""
        rows.append(("decision", "submitted", f"{event.get('chosen')}{how}"))
    for _, record in _stage_records(run):
        for name, value in (record.get("sigma_scale") or {}).items():
            if isinstance(value, float):
                scale = name.replace("_", " ").replace("factor", "σ factor")
                rows.append(("decision", scale, f"{value:.3f}"))
    parameters = run.info.get("parameters")
    if isinstance(parameters, Mapping):
        counts = ", ".join(f"{name} {count}" for name, count in parameters.items())
        rows.append(("network", "parameters", counts))
    return rows
