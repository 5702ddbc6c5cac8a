"""Tables of the report: scores, timings, backends, environment, flags and failures, as plain rows of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spectramind_kit.diagnostics.figures.calibration import pulls
from spectramind_kit.diagnostics.figures.scores import bootstrap_interval, stage_scores
from spectramind_kit.diagnostics.visits import (
    planets_with_light_curves,
    stored_light_curves,
    stored_measurement,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.runtime import format_seconds

_SETTINGS = ("profile", "seed", "data_dir")


@dataclass(frozen=True)
class Table:
    """``rows`` of text under ``header``; ``empty_because`` is shown instead when there are none."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty_because: str = ""


def all_tables(run: RunResults) -> list[Table]:
    """Every table of the report, in its order."""
    return [
        score_table(run),
        planet_table(run),
        timing_table(run),
        failure_table(run),
        backend_table(run),
        environment_table(run),
    ]


def score_table(run: RunResults) -> Table:
    """Stages by set: score with bootstrap interval, rms error of FGS1 and AIRS, width of the pulls."""
    rows = []
    for name, predictions in run.judged.items():
        for stage, planets in stage_scores(run, predictions).items():
            mean, _sigma = predictions.stage(stage)
            low, high = bootstrap_interval(planets)
            error = (mean - predictions.depth) * 1e6
            pull = pulls(predictions.with_stage(stage))
            rows.append(
                (
                    name,
                    {"final": "submitted"}.get(stage, stage),
                    f"{np.clip(planets.mean(), 0, 1):.4f}",
                    f"{low:.3f} … {high:.3f}",
                    f"{np.sqrt((error[:, 0] ** 2).mean()):.0f}",
                    f"{np.sqrt((error[:, 1:] ** 2).mean()):.0f}",
                    f"{pull[:, 0].std():.2f}",
                    f"{pull[:, 1:].std():.2f}",
                )
            )
    return Table(
        "Scores",
        (
            "set",
            "stage",
            "score",
            "95 % of bootstrap",
            "rms FGS1 (ppm)",
            "rms AIRS (ppm)",
            "pull width FGS1",
            "pull width AIRS",
        ),
        tuple(rows),
        "no planet has both a prediction and a known depth (labels or truth)",
    )


def planet_table(run: RunResults, *, count: int = 5) -> Table:
    """The planets that cost the score most: where to look first."""
    rows = []
    for name, predictions in run.judged.items():
        score = stage_scores(run, predictions)["final"]
        for index in np.argsort(score)[:count]:
            error = (predictions.depth_mean - predictions.depth)[index]
            pull = error / predictions.depth_sigma[index]
            rows.append(
                (
                    name,
                    str(predictions.planet_id[index]),
                    f"{score[index]:.3f}",
                    f"{1e6 * predictions.depth[index].mean():.0f}",
                    f"{1e6 * error[0]:+.0f} ({pull[0]:+.1f}σ)",
                    f"{1e6 * error[1:].mean():+.0f}",
                    f"{np.sqrt((pull[1:] ** 2).mean()):.1f}",
                )
            )
    return Table(
        "The planets that cost most",
        (
            "set",
            "planet",
            "score",
            "depth (ppm)",
            "FGS1 error (ppm)",
            "AIRS mean error (ppm)",
            "AIRS rms pull",
        ),
        tuple(rows),
        "no known depths to compare with",
    )


def timing_table(run: RunResults) -> Table:
    """Seconds and peak memory of each step, the newest run of it; then each stage as a whole."""
    latest: dict[tuple[str, str], Mapping] = {}
    for event in run.of_kind("stage"):
        latest[(str(event.get("stage", "")), str(event.get("name", "")))] = event
    rows = []
    for (stage, name), event in latest.items():
        seconds, memory = event.get("seconds"), event.get("peak_memory_mb")
        rows.append(
            (
                stage,
                "the whole stage" if event.get("total") else name,
                str(event.get("status", "")),
                format_seconds(float(seconds)) if isinstance(seconds, (int, float)) else "–",
                f"{memory:.0f}" if isinstance(memory, (int, float)) else "–",
            )
        )
    return Table(
        "Time and memory",
        ("stage", "step", "status", "wall time", "peak memory (MB)"),
        tuple(rows),
        "metrics.jsonl holds no timings",
    )


def failure_table(run: RunResults) -> Table:
    """What was left out or marked, with the reason."""
    rows = []
    for stage, record in (run.info.get("stages") or {}).items():
        for key, entries in record.items() if isinstance(record, Mapping) else ():
            if key.startswith("failed_") and isinstance(entries, list):
                rows += [
                    (
                        stage,
                        f"left out ({key.removeprefix('failed_')})",
                        _who(entry),
                        str(entry.get("error"))[:300],
                    )
                    for entry in entries
                    if isinstance(entry, Mapping)
                ]
            elif key == "sources" and isinstance(entries, Mapping):
                rows += [(stage, f"predicted by: {name}", str(count), "") for name, count in entries.items()]
            elif (
                key
                in (
                    "left_naive",
                    "anchor_left_out_for",
                    "network_left_out",
                    "network_failed",
                    "bundle_failed",
                    "bundle_doubts",
                    "other_data",
                )
                and entries
            ):
                rows.append((stage, key.replace("_", " "), "", str(entries)))
    rows += _measurement_flags(run)
    rows += [("diagnostics", "note", "", note) for note in run.notes]
    return Table(
        "Flags and failures",
        ("stage", "what", "planet", "reason"),
        tuple(rows),
        "none: every planet went through",
    )


def _who(failure: Mapping) -> str:
    visit = failure.get("visit")
    return f"{failure.get('planet_id')}" + (f", visit {visit}" if visit is not None else "")


def _measurement_flags(run: RunResults, *, max_planets: int = 300) -> list[tuple[str, str, str, str]]:
    """Flags that the light curves and the anchor's measurements carry, counted."""
    flags: dict[str, list[str]] = {}
    for planet in planets_with_light_curves(run)[:max_planets]:
        try:
            found = {
                *stored_measurement(run, planet).flags,
                *(f for curve in stored_light_curves(run, planet) for f in curve.flags),
            }
        except DataError as error:
            found = {f"unreadable: {error.what}"}
        if found:
            flags[str(planet)] = sorted(found)
    return _flag_rows("anchor", flags)


def _flag_rows(stage: str, flags: Mapping) -> list[tuple[str, str, str, str]]:
    """``{planet: [flag, …]}`` counted by flag, with the first planets that carry it."""
    counted = Counter(
        str(flag) for names in flags.values() for flag in (names if isinstance(names, list) else [names])
    )
    rows = []
    for flag, count in counted.most_common():
        who = [
            str(planet)
            for planet, names in flags.items()
            if flag in (names if isinstance(names, list) else [names])
        ]
        rows.append(
            (stage, f"flag: {flag}", f"{count}: " + ", ".join(who[:6]) + (" …" if count > 6 else ""), "")
        )
    return rows


def backend_table(run: RunResults) -> Table:
    """Which path of each replaceable part ran, and the settings of the run."""
    rows = [("setting", name, str(run.info[name])) for name in _SETTINGS if name in run.info]
    for stage, record in (run.info.get("stages") or {}).items():
        if isinstance(record, Mapping) and record.get("overrides"):
            rows.append(("overrides", stage, " ".join(map(str, record["overrides"]))))
        # where it is not that of the last stage
        rows += [
            (f"setting of {stage}", name, str(record[name]))
            for name in _SETTINGS
            if isinstance(record, Mapping) and name in record and record[name] != run.info.get(name)
        ]
    rows += _decisions(run)
    rows += [("backend", str(name), str(choice)) for name, choice in (run.info.get("backends") or {}).items()]
    return Table("Settings and backends", ("kind", "name", "value"), tuple(rows), "run.json holds none")


def _decisions(run: RunResults) -> list[tuple[str, str, str]]:
    """How far the network is trusted and how the error bars are scaled, as decided on planets not seen in
    training."""
    rows = []
    for event in run.of_kind("network_share")[-1:]:
        gain, error = event.get("gain"), event.get("gain_error")
        how = (
            f" ({gain:+.4f} ± {error:.4f} over the anchor, out of fold)" if None not in (gain, error) else ""
        )
        rows.append(("decision", "weight of the network", f"{event.get('chosen')}{how}"))
    for record in (run.info.get("stages") or {}).values():
        for name, value in (record.get("sigma_scale") or {}).items() if isinstance(record, Mapping) else ():
            if name != "network_share" and isinstance(value, (int, float)):
                rows.append(
                    ("decision", name.replace("_", " ").replace("factor", "σ factor"), f"{value:.3f}")
                )
    parameters = run.info.get("parameters")
    if isinstance(parameters, Mapping):
        rows.append(
            ("network", "parameters", ", ".join(f"{name} {count}" for name, count in parameters.items()))
        )
    return rows


def environment_table(run: RunResults) -> Table:
    """Python, machine and package versions."""
    environment = run.info.get("environment") or {}
    rows = [(str(name), str(value)) for name, value in environment.items() if not isinstance(value, Mapping)]
    rows += [
        (str(name), str(version) if version else "not installed")
        for name, version in (environment.get("packages") or {}).items()
    ]
    return Table("Environment", ("what", "version"), tuple(rows), "run.json holds no environment")
