"""SpectraMind: from Ariel's raw frames to a transmission spectrum with honest error bars.

Importing the package imports neither torch nor pandas; the public names below load on first use.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

__version__ = "0.1.0"

_PUBLIC = {
    "gll_score": "metric",
    "build_submission": "submission",
    "validate_submission": "submission",
    "write_submission": "submission",
    "calibrate_visit": "detector",
    "extract_light_curve": "detector",
    "LightCurveStore": "detector",
    "fit_anchor": "transit",
    "light_curve_model": "transit",
    "load_bundle": "inference",
    "predict": "inference",
    "simulate_competition": "simulator",
    "simulate_light_curves": "simulator",
    "build_model": "models",
    "CompositeLoss": "losses",
    "load_config": "configs",
}
__all__ = ["__version__", *_PUBLIC]
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
