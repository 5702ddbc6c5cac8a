"""What measurements and trainings are made from: fingerprints by name, kept in each result and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectramind_kit.detector import LightCurve
from spectramind_kit.fingerprint import fingerprint, what_changed
from spectramind_kit.metric import Metric
from spectramind_kit.runtime import say
from spectramind_kit.transit.likelihood.depth_measurement import RECIPE_VERSION, DepthMeasurement
from spectramind_kit.transit.settings import AnchorSettings

# Raise when the same inputs and settings train to other weights, priors or calibrations than before.
TRAINING_RECIPE = 3
_LIGHT_CURVE = "light curve of visit "
_STAR, _SETTINGS, _RECIPE = "row of the star table", "settings of the anchor", "recipe of the measurement"
_SAID_ONE_BY_ONE = 10


def fits_light_curve(measurement: DepthMeasurement, curve: LightCurve) -> bool:
    """Whether a measurement was made from this very light curve; without a fingerprint of it, it may be."""
    known = measurement.made_from.get(f"{_LIGHT_CURVE}{curve.visit}")
    return known is None or known == fingerprint(curve)


def measurement_made_from(
    light_curves: Sequence[LightCurve], star: Mapping[str, float], *, settings: AnchorSettings
) -> dict[str, str]:
    """Fingerprints of what a planet's measurement depends on: visits, star, settings, the kit's recipe."""
    found = {f"{_LIGHT_CURVE}{curve.visit}": fingerprint(curve) for curve in light_curves}
    return found | {
        _STAR: fingerprint({name: float(value) for name, value in star.items()}),
        _SETTINGS: fingerprint(settings.to_mapping()),
        _RECIPE: str(RECIPE_VERSION),
    }


def why_measure_again(stored: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In words, what is no longer as it was when a measurement was made; empty where it can be used."""
    if not stored:
        return "its measurement was made by an earlier version of the kit"
    reasons = []
    for name in what_changed(stored, now):
        if name.startswith(_LIGHT_CURVE):
            how = "is new" if name not in stored else "is gone" if name not in now else "has changed"
            reasons.append(f"its {name} {how}")
        elif name == _RECIPE:
            reasons.append("the kit measures differently now")
        else:
            reasons.append(f"its {name} has changed" if name == _STAR else f"the {name} have changed")
    return ", ".join(reasons)


def say_again(reasons: Mapping[int, str]) -> None:
    """One line for each planet that is measured again, and why; many planets with one reason share a line."""
    planets: dict[str, list[int]] = {}
    for planet, reason in reasons.items():
        planets.setdefault(reason, []).append(planet)
    for reason, those in planets.items():
        if len(those) <= _SAID_ONE_BY_ONE:
            for planet in those:
                say(f"planet {planet}: {reason}; measured again")
        else:
            say(f"{len(those)} planets ({', '.join(map(str, those[:3]))} …): {reason}; measured again")


def training_made_from(
    *,
    settings: Sequence[object],
    seed: int,
    planet_ids: np.ndarray,
    fold: np.ndarray,
    depth: np.ndarray,
    metric: Metric,
    measurements: Sequence[DepthMeasurement],
) -> dict[str, str]:
    """Fingerprints of what prior, calibration, folds and bundle are learned from.

    The measurements enter by what they were made from, not by their numbers, which another processor computes
    with other last digits: a training that was interrupted goes on elsewhere.

    Parameters
    ----------
    settings : plain mappings, the groups of the configuration that shape the training
    planet_ids, fold, depth, measurements : (N,), (N,), (N, 283) labels, N
    """
    own = [
        dict(m.made_from) or {"numbers": fingerprint(m.depth_score, m.depth_information, m.coupling)}
        for m in measurements
    ]
    return {
        "settings": fingerprint(list(settings)),
        "seed": str(seed),
        "planets": fingerprint(np.asarray(planet_ids, np.int64)),
        "folds": fingerprint(np.asarray(fold, np.int64)),
        "labels": fingerprint(np.asarray(depth, np.float64), metric.to_dict()),
        "measurements": fingerprint(own),
        "recipe of the training": str(TRAINING_RECIPE),
    }
