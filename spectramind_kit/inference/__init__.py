"""From trained weights and light curves to a prediction per planet. Names load on first use.

``predict(load_bundle(folder), visits, stars=stars)`` is all of 03_submit in memory.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "Bundle": "bundle",
    "load_bundle": "bundle",
    "predict": "in_memory",
    "network_inputs": "in_memory",
    "PlanetSpectra": "planet_spectra",
}
__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
