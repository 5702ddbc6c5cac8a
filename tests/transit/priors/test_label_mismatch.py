from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from spectramind_kit.transit.priors.label_mismatch import (
    NO_MISMATCH,
    MismatchComponent,
    MismatchMoments,
    default_mismatch,
    mismatch_basis,
)
from tests.transit.synthetic import WAVELENGTH


def test_basis() -> None:
    """Guards against a slope that leaks into the level or FGS1, and relative and absolute terms that are
    mixed up."""
    depth = np.linspace(0.01, 0.02, 283)
    basis = mismatch_basis(WAVELENGTH, depth)
    assert (
        basis.shape == (283, 6)
        and np.all(basis[:, 3] == 1.0)
        and basis[1:, 4].max() == 0.0
        and basis[0, 5] == 0.0
    )
    assert basis[1, 5] == pytest.approx(-1.0) and basis[-1, 5] == pytest.approx(1.0)
    assert np.allclose(basis[:, :3], depth[:, None] * basis[:, 3:])


def test_components_are_a_distribution() -> None:
    """Guards against shares that do not add up and covariances that no Gaussian has."""
    none, some = default_mismatch().components()
    assert none.share + some.share == pytest.approx(1.0)
    for component in (none, some, default_mismatch().gross()):
        assert np.linalg.eigvalsh(component.covariance).min() > 0.0
    assert (
        none.covariance[0, 0] < 1e-3 * some.covariance[0, 0]
        and none.covariance[3, 3] == some.covariance[3, 3]
    )


def test_moments_of_a_sample_come_back() -> None:
    """Guards against a wrong M step: many planets whose mismatch is known give its share, mean, covariance
    and floor."""
    rng = np.random.default_rng(0)
    n, covariance = 4000, np.diag([4e-3, 2e-3, 1e-3]) ** 2
    some = rng.random(n) < 0.3
    m = rng.multivariate_normal([1e-3, 3e-3, 0.0], covariance, n) * some[:, None]
    a = rng.normal(size=(n, 3)) * [3e-5, 2e-5, 1e-5]
    found = default_mismatch()
    seen = MismatchMoments(
        probability=some.astype(float),
        trust=np.ones(n),
        mean=m,
        second_moment=m[:, :, None] * m[:, None, :],
        absolute=a,
        absolute_variance=np.zeros((n, 3)),
    )
    for _ in range(5):
        found = found.updated(seen)
    assert found.share == pytest.approx(0.3, abs=0.03) and found.learned_from == n
    assert np.allclose(found.mean, [1e-3, 3e-3, 0.0], atol=3e-4)
    assert np.allclose(np.sqrt(np.diag(found.covariance)), [4e-3, 2e-3, 1e-3], rtol=0.1)
    assert np.allclose(found.floor, [3e-5, 2e-5, 1e-5], rtol=0.1)


def test_density_of_a_component() -> None:
    """Guards against possibilities weighed with a density of the wrong width, without their share."""
    covariance = np.diag([1e-3, 2e-3]) ** 2 + 1e-6
    component = MismatchComponent(np.array([1e-3, 0.0]), covariance, 0.3)
    expected = multivariate_normal(component.mean, covariance).logpdf(np.zeros(2)) + np.log(2.0 * np.pi)
    assert component.log_density == pytest.approx(np.log(0.3) + expected)
    assert np.allclose(component.precision @ covariance, np.eye(2))
    assert NO_MISMATCH.log_density == 0.0 and NO_MISMATCH.precision.shape == (0, 0)


def test_moments_of_several_groups_are_joined() -> None:
    """Guards against planets of one group that are given the probability of another's."""
    rng = np.random.default_rng(0)

    def some(n: int) -> MismatchMoments:
        shapes = ((n,), (n,), (n, 3), (n, 3, 3), (n, 3), (n, 3))
        return MismatchMoments(*(rng.random(shape) for shape in shapes))

    one, two = some(2), some(3)
    both = MismatchMoments.joined([one, two])
    assert np.array_equal(both.second_moment[2:], two.second_moment) and both.mean.shape == (5, 3)
    assert np.array_equal(both.trust, np.r_[one.trust, two.trust])
