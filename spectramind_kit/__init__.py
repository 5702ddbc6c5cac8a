"""SpectraMind: from Ariel's raw frames to a transmission spectrum with honest error bars.

Importing the package imports neither torch nor pandas; the public names below load on first use.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "gll_score": "spectramind_kit.metric",
    "build_submission": "spectramind_kit.submission",
    "validate_submission": "spectramind_kit.submission",
    "write_submission": "spectramind_kit.submission",
    "calibrate_visit": "spectramind_kit.detector",
    "extract_light_curve": "spectramind_kit.detector",
    "LightCurveStore": "spectramind_kit.detector",
    "fit_anchor": "spectramind_kit.transit",
    "light_curve_model": "spectramind_kit.transit",
    "simulate_competition": "spectramind_kit.simulator",
    "simulate_light_curves": "spectramind_kit.simulator",
    "build_model": "spectramind_kit.models",
    "CompositeLoss": "spectramind_kit.losses",
    "load_config": "spectramind_kit.configs",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'spectramind_kit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
