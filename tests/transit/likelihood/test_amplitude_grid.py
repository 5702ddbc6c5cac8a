"""The grid in the modes' eigenvectors against the whole matrices, solved one by one."""

from __future__ import annotations

import numpy as np

from spectramind_kit.transit.likelihood.amplitude_grid import AmplitudeGrid
from spectramind_kit.transit.likelihood.gaussian import Projected


def test_the_grid_is_the_mixture_of_whole_posteriors():
    """Guards the short cut: weights, mean and covariance of a mixture of 12 posteriors, modes in the middle
    of the coefficients, as inverses of the whole matrices give them."""
    rng = np.random.default_rng(3)
    n_basis, n_nuisance, modes = 14, 5, slice(2, 10)
    size = n_basis + n_nuisance
    root = rng.normal(size=(size, 30))
    projected = Projected(root @ root.T, 4.0 * rng.normal(size=size), n_basis)
    others = np.setdiff1d(np.arange(size), np.arange(2, 10))
    amplitude, point = np.array([0.1, 1.0, 3.0]), np.arange(12) % 3
    precision = np.array([np.diag(rng.uniform(0.5, 2.0, len(others))) for _ in point])
    pull, log_prior = rng.normal(size=(12, len(others))), rng.normal(size=12)
    found = AmplitudeGrid.of(projected, modes).integrated(amplitude, point, precision, pull, log_prior)

    basis = np.zeros((12, n_basis, n_basis))
    basis[:, range(2, 10), range(2, 10)] = amplitude[point][:, None] ** -2.0
    own = others[:-n_nuisance]
    basis[:, own[:, None], own] = precision[:, : len(own), : len(own)]
    mean = np.zeros((12, n_basis))
    mean[:, own] = pull[:, : len(own)] / precision[:, range(len(own)), range(len(own))]
    nuisance = precision[:, len(own) :, len(own) :], pull[:, len(own) :]
    whole = projected.solve(basis, *nuisance, basis_mean=mean)
    weight, step, covariance = whole.mixed(log_prior + whole.log_evidence)
    np.testing.assert_allclose(found.weight, weight, rtol=1e-8)
    np.testing.assert_allclose(found.mean, step, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-7, atol=1e-10)
