"""What each test planet gives in the time that is left: light curves, a flat depth, a measurement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spectramind_kit.detector import LightCurve
from spectramind_kit.errors import PlanetFailure, in_words
from spectramind_kit.inference.flat_depth import flat_depths
from spectramind_kit.inference.rerun_inputs import RerunInputs, in_order
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import cpu_count, say
from spectramind_kit.training.measurements import measure_planets
from spectramind_kit.training.stage_one import extract_light_curves
from spectramind_kit.transit import DepthMeasurement

CHUNK = 64  # planets between two looks at the clock


@dataclass(frozen=True)
class RerunPlanets:
    """What was found, by planet."""

    light_curves: dict[int, list[LightCurve]] = field(default_factory=dict)
    flat: dict[int, float] = field(default_factory=dict)  # depth
    measurements: dict[int, DepthMeasurement] = field(default_factory=dict)


def gather_planets(run: RunFolder, planet_ids: Sequence[int], inputs: RerunInputs) -> RerunPlanets:
    """Chunk by chunk; too little time costs those to come their measurements, then their light curves."""
    gathered = RerunPlanets()
    todo = list(planet_ids)
    use_anchor = inputs.bundle is not None
    size = 2 * cpu_count()  # a small first chunk: it tells what a planet costs
    while todo:
        chunk, todo = todo[:size], todo[size:]
        left = len(chunk) + len(todo)
        if not run.budget.fits("light_curves", units=len(chunk)):
            say(f"{left} planets are left as they are: no time for their light curves")
            run.record_stage(left_naive=left)
            break
        found = _light_curves(run, chunk, inputs)
        gathered.flat.update(flat_depths(found))
        gathered.light_curves.update(found)
        if use_anchor and _too_dear(run, len(chunk), len(todo)):
            say("the anchor is left out for the remaining planets: no time for it")
            run.record_stage(anchor_left_out_for=left)
            use_anchor = False
        if use_anchor:
            measured = _measurements(run, found, inputs)
            gathered.measurements.update(measured)
        size = CHUNK
    return gathered


def flags_of(planet_ids: Sequence[int], found: RerunPlanets) -> np.ndarray:
    """(N,) what is said of each planet, ``; `` between; a measurement carries what its light curves say."""
    texts = []
    for planet in planet_ids:
        measured, curves = found.measurements.get(planet), found.light_curves.get(planet, [])
        flags = measured.flags if measured else [flag for curve in curves for flag in curve.flags]
        texts.append("; ".join(flags) if curves else "no light curve: see the failures in run.json")
    return np.array(texts, dtype=str)


def _too_dear(run: RunFolder, n_chunk: int, n_todo: int) -> bool:
    """Whether measuring this chunk costs light curves or measurements of the planets to come."""
    light_curves, anchor = (run.budget.seconds_per_unit(part) or 0.0 for part in ("light_curves", "anchor"))
    return (light_curves + anchor) * n_todo + anchor * n_chunk > run.budget.left_s


def _light_curves(
    run: RunFolder, planet_ids: Sequence[int], inputs: RerunInputs
) -> dict[int, list[LightCurve]]:
    start = time.monotonic()
    try:
        found = extract_light_curves(run, "test", planet_ids=planet_ids, tables=inputs.tables)
    except Exception as error:  # a table of the data set that is broken for all: the fallback must survive it
        run.failures("light_curves_test", [PlanetFailure(p, in_words(error)) for p in planet_ids])
        found = {}
    if inputs.order is not None:  # of an earlier kernel
        wavelength_um = inputs.tables.wavelength_um
        found = {p: [in_order(curve, wavelength_um) for curve in curves] for p, curves in found.items()}
    run.budget.charge("light_curves", units=len(planet_ids), seconds=time.monotonic() - start)
    return found


def _measurements(
    run: RunFolder, light_curves: dict[int, list[LightCurve]], inputs: RerunInputs
) -> dict[int, DepthMeasurement]:
    try:
        return measure_planets(run, light_curves, stars=inputs.stars, split="test")
    # worker processes that cannot start, a full disk: the flat depths must survive it
    except Exception as error:
        run.failures("anchor_test", [PlanetFailure(p, in_words(error)) for p in light_curves])
        return {}
