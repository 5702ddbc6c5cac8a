from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from spectramind_kit.transit.priors.label_mismatch import (
    NO_MISMATCH,
    LabelMismatch,
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
        large_square=np.zeros(n),
    )
    for _ in range(5):
        found = found.updated(seen)
    assert found.share == pytest.approx(0.3, abs=0.03) and found.learned_from == n
    assert np.allclose(found.mean, [1e-3, 3e-3, 0.0], atol=3e-4)
    assert np.allclose(np.sqrt(np.diag(found.covariance)), [4e-3, 2e-3, 1e-3], rtol=0.1)
    assert np.allclose(found.floor, [3e-5, 2e-5, 1e-5], rtol=0.1)


def test_what_the_anchor_expects_is_a_distribution() -> None:
    """Guards against shares that do not add up once labels far off are possible, and against a large one that
    is no wider than the usual."""
    none, some, large = default_mismatch().possibilities()
    assert none.share + some.share + large.share == pytest.approx(1.0) and large.share < some.share
    assert large.covariance[0, 0] > 10.0 * some.covariance[0, 0]
    assert np.linalg.eigvalsh(large.covariance).min() > 0.0


def test_labels_far_off_are_learned_slowly() -> None:
    """Guards against a rare large mismatch that one planet of twenty decides, or that a thousand cannot
    change."""

    def learned(n: int, astray: int) -> LabelMismatch:
        zero, lost = np.zeros((n, 3)), (np.arange(n) < astray).astype(float)
        moment, floor = np.zeros((n, 3, 3)), np.full((n, 3), 1e-12)
        return default_mismatch().updated(
            MismatchMoments(zero[:, 0], 1.0 - lost, zero, moment, zero, floor, 0.08**2 * lost)
        )

    default, few, many = default_mismatch(), learned(20, 1), learned(1000, 100)
    assert few.large_share < 1.5 * default.large_share and few.large < 1.5 * default.large
    assert many.large_share == pytest.approx(0.1, rel=0.1) and many.large == pytest.approx(0.08, rel=0.05)
    assert learned(1000, 0).large_share < 0.1 * default.large_share


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
        shapes = ((n,), (n,), (n, 3), (n, 3, 3), (n, 3), (n, 3), (n,))
        return MismatchMoments(*(rng.random(shape) for shape in shapes))

    one, two = some(2), some(3)
    both = MismatchMoments.joined([one, two])
    assert np.array_equal(both.second_moment[2:], two.second_moment) and both.mean.shape == (5, 3)
    assert np.array_equal(both.trust, np.r_[one.trust, two.trust])
