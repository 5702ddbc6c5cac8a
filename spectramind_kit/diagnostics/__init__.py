"""Look at a run: one verb per figure, and one HTML file with all of them.

Every verb takes a run (`open_run`, or the path of its folder), saves a numbered PNG in ``figures/`` and
returns the figure.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "open_run": "spectramind_kit.run_folder.results",
    "attribute_inputs": "attribution",
    "explain_network": "network",
    "load_network": "network",
    "embed": "embedding",
    "periodogram": "power_spectrum",
    "plot_raw_frame": "figures.frames",
    "plot_calibrated_frame": "figures.frames",
    "plot_trace": "figures.frames",
    "plot_light_curve": "figures.frames",
    "plot_light_curve_gallery": "figures.gallery",
    "plot_anchor_fit": "figures.anchor_fit",
    "plot_white_light_curves": "figures.light_curves",
    "plot_spectra": "figures.spectra",
    "plot_pulls": "figures.calibration",
    "plot_reliability": "figures.calibration",
    "plot_score_ladder": "figures.scores",
    "plot_score_breakdown": "figures.scores",
    "plot_learning_curve": "figures.learning",
    "plot_contributions": "figures.contributions",
    "plot_residual_fft": "figures.frequency",
    "plot_embedding": "figures.embedding",
    "plot_attributions": "figures.attribution",
    "planet_page": "planet_pages",
    "write_report": "report",
}
__all__ = [*_PUBLIC]
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
