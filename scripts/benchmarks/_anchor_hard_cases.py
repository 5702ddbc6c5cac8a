"""Hard cases of the anchor, made from simulated visits and altered light curves: largest |pull|, flags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from _planets import simulated_planets

from spectramind_kit.simulator import light_curves_of
from spectramind_kit.simulator.wavelengths import grid_to_bins


def hard_cases(seed: int) -> dict[str, dict]:
    """What the anchor makes of each, around one short and central transit."""
    truths = [planet.visits[0] for planet in chain(*simulated_planets(12, seed, "test"))]
    plain = min(
        truths, key=lambda v: v.planet.period_d / v.planet.semi_major_axis + v.planet.impact_parameter
    )

    def curve(truth, visit: int = 0):
        seen = light_curves_of([truth], seed=seed + 7 + visit).light_curve(0)
        return replace(seen, planet_id=1, visit=visit)

    def tilted(b: float):
        inclination = math.degrees(math.acos(b / plain.planet.semi_major_axis))
        planet = replace(plain.planet, inclination_deg=inclination, catalogue_inclination_deg=inclination)
        return replace(plain, planet=planet)

    shallow, label = (part * 7e-4 / part.mean() for part in (plain.depth, plain.label))
    shallow = replace(plain, depth=shallow, label=label)
    glitch = curve(plain)
    low = (np.arange(len(glitch.time)) % 187 // 12 == 2)[:, None]
    glitch = replace(glitch, flux=np.where(low, 0.992, 1.0) * glitch.flux)
    twin = replace(plain, depth=plain.depth * 1.06)
    missed = tilted(1.0 + 1.6 * math.sqrt(plain.planet.depth))
    cases = {
        "incomplete": ([curve(replace(plain, mid_transit_time=0.6))], plain, 1.0, "incomplete"),
        "t0 at the edge": ([curve(replace(plain, mid_transit_time=7.4))], plain, 1.0, "incomplete"),
        "b = 0.85": ([curve(tilted(0.85))], plain, 1.0, "grazing"),
        "b = 1.05": ([curve(tilted(1.05))], plain, 1.0, "grazing"),
        "no transit at all": ([curve(missed)], missed, 1.0, "shallow"),
        "depth 0.07 %": ([curve(shallow)], shallow, 1.0, "shallow"),
        "visits disagree": ([curve(plain), curve(twin, 1)], plain, 1.03, "disagree"),
        "outlier run": ([glitch], plain, 1.0, "outliers"),
    }
    return {name: _one_case(*case) for name, case in cases.items()}


def _one_case(curves: Sequence, truth, factor: float, flag: str) -> dict:
    from spectramind_kit.transit import fit_anchor

    anchor = fit_anchor(list(curves), truth.planet.catalogue_row())
    # what the light curve shows; a label that differs is no fault of the fit
    depth = grid_to_bins(truth.depth) * factor
    pull = np.abs(anchor.depth - depth) / anchor.depth_err
    return {
        "largest_pull": float(pull.max()),
        "sigma_airs_ppm": float(1e6 * np.median(anchor.depth_err[1:])),
        "flagged": any(flag in f for f in anchor.flags),
        "flags": ", ".join(anchor.flags),
    }
