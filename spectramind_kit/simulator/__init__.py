"""An Ariel simulator: raw frames in the competition's layout, or light curves straight away, from one physics.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module

_PUBLIC = {
    "simulate_competition": "competition",
    "simulate_light_curves": "light_curves",
    "SimulatedLightCurves": "light_curves",
    "open_simulation": "competition",
    "SimulatedCompetition": "competition",
    "Settings": "settings",
    "Effects": "settings",
    "noise_free": "settings",
    "draw_planet": "stars_planets",
    "draw_visits": "visit",
    "true_light_curve": "visit",
    "VisitTruth": "visit",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(f"spectramind_kit.simulator.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'spectramind_kit.simulator' has no attribute {name!r}")
