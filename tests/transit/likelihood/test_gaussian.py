from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.transit import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import Projected, cut_below, positive_inverse


def test_update_equals_dense_gaussian_algebra(measurement: DepthMeasurement) -> None:
    """Guards against a wrong Schur complement or a sign: the same posterior from the full (W + K) matrix."""
    m = measurement
    w, k = 283, m.n_nuisances
    rng = np.random.default_rng(0)
    basis = np.c_[np.ones(w), rng.normal(size=(w, 5)) * 1e-4]
    basis_precision = np.r_[1e4, np.ones(5)]
    origin = m.reference_depth + 1e-4
    nuisance_precision, pull = np.diag(1.0 / m.nuisance_sd**2), rng.normal(size=k)
    projected = Projected.of(m, basis, origin)
    got = projected.solve(
        np.diag(basis_precision)[None], nuisance_precision[None], pull[None], basis_mean=np.zeros((1, 6))
    )

    information = np.block(
        [[np.diag(m.depth_information), m.coupling], [m.coupling.T, m.nuisance_information]]
    )
    information -= m.common_noise @ m.common_noise.T
    score = np.r_[m.depth_score, m.nuisance_score]
    design = np.zeros((w + k, 6 + k))
    design[:w, :6], design[w:, 6:] = basis, np.eye(k)
    shift = np.r_[origin - m.reference_depth, np.zeros(k)]
    total = design.T @ information @ design
    total[:6, :6] += np.diag(basis_precision)
    total[6:, 6:] += nuisance_precision
    rhs = design.T @ (score - information @ shift) + np.r_[np.zeros(6), pull]
    expected = np.linalg.solve(total, rhs)
    sd = np.sqrt(np.diagonal(got.covariance[0]))
    assert np.allclose(got.step[0] / sd, expected / sd, atol=1e-5)
    assert np.allclose(np.diagonal(got.covariance[0]), np.diagonal(np.linalg.inv(total)), rtol=1e-5)
    assert projected.n_basis == 6


def test_cut_gaussian_has_the_moments_of_a_sample() -> None:
    """Guards against a wrong formula for b^2 >= 0."""
    mean, covariance = np.array([0.3, -0.1]), np.array([[1.0, 0.5], [0.5, 0.4]])
    sample = np.random.default_rng(0).multivariate_normal(mean, covariance, 400_000)
    kept = sample[sample[:, 1] > 0.2]
    new_mean, new_covariance = cut_below(mean, covariance, 1, 0.2)
    assert np.allclose(new_mean, kept.mean(0), atol=0.01) and np.allclose(
        new_covariance, np.cov(kept.T), atol=0.02
    )


def test_a_cut_far_away_changes_nothing() -> None:
    """Guards against moments of a tail that has no weight (0/0) on either side."""
    mean, covariance = np.array([0.3, 0.5]), np.array([[1.0, 0.0], [0.0, 1e-4]])
    assert cut_below(mean, covariance, 1, 0.0)[0] is mean
    beyond, narrow = cut_below(mean, covariance, 1, 1.0)  # fifty sigma beyond the mean: at the cut
    assert beyond == pytest.approx([0.3, 1.0]) and 0.0 < narrow[1, 1] < 1e-5


def test_inverses_of_what_rounding_made_indefinite() -> None:
    """Guards against a planet that is lost because its smallest eigenvalue came out as -1e-17."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(3, 6, 6, generator=generator, dtype=torch.float64) * torch.logspace(-5, 5, 6).double()
    sound = root.mT @ root + torch.eye(6)
    inverse, log_det = positive_inverse(sound)
    assert torch.allclose(inverse, torch.linalg.inv(sound), rtol=1e-6)
    assert torch.allclose(log_det, torch.logdet(sound))
    torn = torch.ones(1, 2, 2, dtype=torch.float64)
    torn[0, 1, 1] -= 1e-16
    assert torch.isfinite(positive_inverse(torn)[0]).all()
    with pytest.raises(np.linalg.LinAlgError):
        positive_inverse(-torch.eye(2, dtype=torch.float64)[None])
