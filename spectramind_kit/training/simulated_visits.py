"""Visits to learn from without end: the simulator's light curves, drawn as they are needed.

Mostly of the world ``real``, with worlds whose physics no model of ours knows mixed in: reading a light curve
must depend neither on the shapes of spectra nor on one law of limb darkening. Some visits are cut short, and
some lack a sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.simulator import simulate_light_curves, world
from spectramind_kit.training.direct_rows import direct_row

WORLD_SHARES: Mapping[str, float] = {
    "real": 0.55,
    "easy": 0.2,
    "limb_darkening": 0.05,
    "spot_crossings": 0.05,
    "ramps": 0.05,
    "eccentric": 0.05,
    "dilution": 0.05,
}
_CUT_SHORT, _WITHOUT_AIRS, _WITHOUT_FGS1 = 0.05, 0.01, 0.02  # shares of the visits
_LEAST_LEFT = 0.6  # of a visit that is cut short
FGS1, AIRS = np.s_[:, 0], np.s_[:, 1:]  # of the fluxes
_TOGETHER = 25  # planets that are simulated in one go


def simulated_visits(
    n_planets: int, *, seed: int, shard: int, changed: bool = True
) -> tuple[list[dict[str, Any]], dict[int, np.ndarray]]:
    """Rows of `direct_row` of the planets of one shard, and their labels (283,) by planet.

    The same seed and shard give the same visits in any process. ``changed``: whether visits are cut short and
    sensors left out.
    """
    rows, labels = [], {}
    rng = np.random.default_rng((seed, shard))
    for name, n in _planets_of_worlds(n_planets).items():
        for start in range(0, n, _TOGETHER):
            batch = simulate_light_curves(
                min(_TOGETHER, n - start), seed=seed, start=shard * n_planets + start, settings=world(name)
            )
            for planet in batch.planets():
                number = len(labels)
                labels[number] = planet.label
                for curve in planet.curves:
                    curve = replace(curve, planet_id=number)
                    row = direct_row(_damaged(curve, rng) if changed else curve, star=planet.star)
                    if row is not None:
                        rows.append(_in_float32(row))
    return rows, labels


def _planets_of_worlds(n_planets: int) -> dict[str, int]:
    """How many planets of each world, in all ``n_planets``."""
    edges = np.rint(n_planets * np.cumsum([0.0, *WORLD_SHARES.values()])).astype(int)
    return {name: int(n) for name, n in zip(WORLD_SHARES, np.diff(edges)) if n}


def without(curve: LightCurve, part: Any) -> LightCurve:
    """The same without a part of its fluxes (time, wavelength): an index into them."""
    flux, flux_err = curve.flux.copy(), curve.flux_err.copy()
    flux[part], flux_err[part] = np.nan, np.nan
    return replace(curve, flux=flux, flux_err=flux_err)


def _damaged(curve: LightCurve, rng: np.random.Generator) -> LightCurve:
    """The same, or what an interrupted observation or a broken sensor leaves of it."""
    cut, airs, fgs1, left = rng.random(4)
    if cut < _CUT_SHORT:
        n = len(curve.time)
        keep = int(n * (_LEAST_LEFT + (1.0 - _LEAST_LEFT) * left))
        curve = without(curve, slice(keep, None) if cut < 0.5 * _CUT_SHORT else slice(0, n - keep))
    if airs < _WITHOUT_AIRS:
        return without(curve, AIRS)
    return without(curve, FGS1) if fgs1 < _WITHOUT_FGS1 else curve


def _in_float32(row: dict[str, Any]) -> dict[str, Any]:
    """Half the memory, and half of what travels between processes; depths keep their digits."""
    arrays = ("fgs1", "white", "airs", "transit_shape", "weight", "bins")
    return row | {name: row[name].astype(np.float32) for name in arrays}
