"""Transit physics and the anchor: a spectrum with honest error bars from light curves, without a network.

Names are loaded when they are first used, so that ``import spectramind_kit.transit`` costs nothing.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "transit_flux": "limb_darkening",
    "overlap_integrals": "limb_darkening",
    "projected_separation": "orbit",
    "contact_times": "orbit",
    "transit_duration": "orbit",
    "impact_parameter": "orbit",
    "light_curve_model": "transit_model",
    "spectral_transit": "transit_model",
    "AnchorSettings": "settings",
    "DepthMeasurement": "likelihood.depth_measurement",
    "VisitFit": "likelihood.visit_fit",
    "NuisancePrior": "priors.nuisance_prior",
    "measure_depths": "fit.planets",
    "measure_together": "fit.planets",
    "learn_nuisances": "priors.learn_nuisance",
    "LabelMismatch": "priors.label_mismatch",
    "SpectralPrior": "priors.spectral_prior",
    "learn_spectral_prior": "priors.learn_spectral_prior",
    "default_spectral_prior": "priors.spectral_prior",
    "Anchor": "anchor.spectrum",
    "apply_prior": "anchor.mixture",
    "fit_anchor": "anchor.recipes",
    "raw_spectrum": "priors.raw_depths",
    "AnchorCalibration": "anchor.calibration",
    "fit_calibration": "anchor.calibration_fit",
    "calibrate": "anchor.calibration",
    "identity_calibration": "anchor.calibration",
    "CrossFit": "anchor.recipes",
    "cross_fit": "anchor.recipes",
    "learn_priors": "anchor.recipes",
    "plot_anchor": "anchor.figure",
    "assign_folds": "anchor.recipes",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
