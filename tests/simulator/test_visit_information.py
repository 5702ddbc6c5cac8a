from __future__ import annotations

import numpy as np

from spectramind_kit.simulator import Settings, draw_visits
from spectramind_kit.simulator.light_curves import bin_centres
from spectramind_kit.simulator.noise_model import captured, constant_variance, exposures_per_bin
from spectramind_kit.simulator.visit_information import Priors, derivatives, visit_information


def test_information_of_a_known_geometry_is_that_of_the_photons():
    """Guards against lost factors: with every nuisance known, 1/σ² is Σ (∂flux/∂depth)²/σ_flux² with the
    level projected out."""
    visit = draw_visits(31, "train", 0)[0]
    known = Priors(1e-9, 1e-9, 1e-9, 1e-9, 1e-9)
    time, width = bin_centres(188)
    slopes = derivatives(visit, time, width, known)
    variance = slopes.flux * captured(visit.optics) + constant_variance(visit, adc_gain=Settings.adc_gain)
    sigma = np.sqrt(variance / exposures_per_bin(width)) / captured(visit.optics)
    signal, level = slopes.by_depth / sigma, slopes.flux / sigma
    expected = (signal**2).sum(0) - (signal * level).sum(0) ** 2 / (level**2).sum(0)
    # mid-transit time and drift stay free: they cost depth information, never add any
    found = np.diag(visit_information(visit, priors=known))
    assert (found <= expected * 1.0001).all() and np.median(found / expected) > 0.5
