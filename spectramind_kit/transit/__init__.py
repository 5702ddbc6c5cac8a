"""Transit physics and the anchor: a spectrum with honest error bars from light curves, without a network.

Names are loaded when they are first used, so that ``import spectramind_kit.transit`` costs nothing.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "transit_flux": "limb_darkening", "overlap_integrals": "limb_darkening",
    "projected_separation": "orbit", "contact_times": "orbit", "transit_duration": "orbit", "impact_parameter": "orbit",
    "light_curve_model": "transit_model", "spectral_transit": "transit_model",
    "AnchorSettings": "settings", "DepthMeasurement": "measurement", "VisitFit": "measurement",
    "NuisancePrior": "nuisance_prior", "measure_depths": "measure", "measure_together": "measure",
    "learn_nuisances": "learn_nuisance", "LabelMismatch": "label_mismatch",
    "SpectralPrior": "spectral_prior", "learn_spectral_prior": "spectral_prior",
    "default_spectral_prior": "spectral_prior", "Anchor": "anchor", "apply_prior": "anchor", "fit_anchor": "anchor",
    "raw_spectrum": "raw_depths", "AnchorCalibration": "calibration", "fit_calibration": "calibration",
    "calibrate": "calibration", "identity_calibration": "calibration", "CrossFit": "held_out",
    "cross_fit": "held_out", "learn_priors": "held_out", "plot_anchor": "figure", "assign_folds": "held_out",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
