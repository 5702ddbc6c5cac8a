from __future__ import annotations

import dataclasses

import numpy as np

from spectramind_kit.transit import DepthMeasurement, NuisancePrior, raw_spectrum
from spectramind_kit.transit.priors.nuisance_prior import NuisanceTable


def test_equals_dense_gaussian_algebra(measurement: DepthMeasurement) -> None:
    """Guards against a raw depth that a prior on spectra has touched, or whose nuisances are held fixed."""
    m, w = measurement, 283
    precision, pull = (v[0].numpy() for v in NuisancePrior().terms(NuisanceTable.of([m])))
    total = np.block([[np.diag(m.depth_information), m.coupling], [m.coupling.T, m.nuisance_information]])
    total -= m.common_noise @ m.common_noise.T
    total[:w, :w] += np.eye(w) / 0.1**2
    total[w:, w:] += precision
    step = np.linalg.solve(total, np.r_[m.depth_score, m.nuisance_score + pull])
    depth, covariance = raw_spectrum(m)
    err = np.sqrt(np.diagonal(covariance))
    assert np.abs((depth - m.reference_depth - step[:w]) / err).max() < 1e-4
    assert np.allclose(err**2, np.diagonal(np.linalg.inv(total))[:w], rtol=1e-4)


def test_a_dead_wavelength_has_a_finite_error(measurement: DepthMeasurement) -> None:
    """Guards against an infinite or NaN error of one bin that spreads to all."""
    m = measurement
    information, coupling, score = m.depth_information.copy(), m.coupling.copy(), m.depth_score.copy()
    common = m.common_noise.copy()
    information[40], coupling[40], score[40], common[40] = 0.0, 0.0, 0.0, 0.0
    dead = dataclasses.replace(
        m, depth_information=information, coupling=coupling, depth_score=score, common_noise=common
    )
    depth, covariance = raw_spectrum(dead)
    assert np.isfinite(depth).all() and np.sqrt(covariance[40, 40]) > 0.09
    assert np.sqrt(covariance[41, 41]) < 0.01
