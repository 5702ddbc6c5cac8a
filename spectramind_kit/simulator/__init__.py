"""An Ariel simulator: raw frames in the competition's layout, or light curves straight away, one physics.

Names are loaded when they are first used.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "simulate_competition": "competition",
    "simulate_light_curves": "light_curves",
    "light_curves_of": "light_curves",
    "SimulatedLightCurves": "light_curves",
    "SimulatedPlanet": "light_curves",
    "open_simulation": "competition",
    "SimulatedCompetition": "competition",
    "Settings": "settings",
    "Effects": "settings",
    "noise_free": "settings",
    "world": "worlds",
    "WORLDS": "worlds",
    "draw_planet": "stars_planets",
    "draw_visits": "visit",
    "true_light_curve": "star_flux",
    "VisitTruth": "visit",
}
__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
