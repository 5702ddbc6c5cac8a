from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.transit import SpectralPrior, apply_prior, learn_priors, measure_together
from spectramind_kit.transit.priors.label_mismatch import default_mismatch, mismatch_basis
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

torch.set_num_threads(1)


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
    n, covariance, trust = 4000, np.diag([4e-3, 2e-3, 1e-3]) ** 2, np.ones(4000)
    some = rng.random(n) < 0.3
    m = rng.multivariate_normal([1e-3, 3e-3, 0.0], covariance, n) * some[:, None]
    a = rng.normal(size=(n, 3)) * [3e-5, 2e-5, 1e-5]
    found = default_mismatch()
    for _ in range(5):
        found = found.updated(
            m, m[:, :, None] * m[:, None, :], some.astype(float), a, np.zeros((n, 3)), trust
        )
    assert found.share == pytest.approx(0.3, abs=0.03) and found.learned_from == n
    assert np.allclose(found.mean, [1e-3, 3e-3, 0.0], atol=3e-4)
    assert np.allclose(np.sqrt(np.diag(found.covariance)), [4e-3, 2e-3, 1e-3], rtol=0.1)
    assert np.allclose(found.floor, [3e-5, 2e-5, 1e-5], rtol=0.1)


@pytest.fixture(scope="module")
def population() -> tuple[list, list, np.ndarray]:
    """40 planets; every third shows a depth that is 1 % off its label, FGS1 2 %."""
    planets = [make_planet(seed) for seed in range(40)]
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 40)
    factor = np.where(np.arange(283) == 0, 0.02, 0.01)
    shown = [
        p.depth * (1.0 + (k % 3 == 0) * sign * factor) for k, (p, sign) in enumerate(zip(planets, signs))
    ]
    measured = measure_together(
        [
            ([make_light_curve(p, seed=k, depth=d, planet_id=k)], p.star)
            for k, (p, d) in enumerate(zip(planets, shown))
        ]
    )
    clean = measure_together(
        [([make_light_curve(p, seed=k, planet_id=k)], p.star) for k, p in enumerate(planets)]
    )
    return measured, clean, np.array([p.depth for p in planets])


def test_is_learned_where_there_is_one_and_not_where_there_is_none(population) -> None:
    """Guards against error bars that lack what no light curve can tell, and against doubt about labels that
    are right."""
    measured, clean, labels = population
    found, none = learn_priors(measured, labels).mismatch, learn_priors(clean, labels).mismatch
    assert 0.15 < found.share < 0.5 and 0.006 < np.sqrt(found.covariance[0, 0]) < 0.016
    # FGS1 is off in the same direction
    assert found.covariance[0, 1] > 0.0
    # what it adds to an error bar on average: almost nothing where all labels are right
    assert (
        np.sqrt(none.share * none.covariance[0, 0]) < 0.0012 < np.sqrt(found.share * found.covariance[0, 0])
    )


def test_one_fit_that_went_astray_teaches_nothing(population) -> None:
    """Guards against a single wrong measurement that widens the error bars of all planets."""
    measured, _, labels = population
    wrong = labels.copy()
    wrong[7] *= 1.6
    before, after = learn_priors(measured, labels), learn_priors(measured, wrong)
    for one, other in (
        (before.mismatch.covariance[0, 0], after.mismatch.covariance[0, 0]),
        (before.mismatch.share, after.mismatch.share),
    ):
        assert other < 1.5 * one
    assert np.allclose(before.nuisance.limb_mean[0], after.nuisance.limb_mean[0], atol=0.02)


def test_widens_the_label_but_not_the_raw_depth(population) -> None:
    """Guards against a mismatch that is counted as the transit's: the label's error grows by it, the raw
    spectrum stays."""
    measured, _, labels = population
    prior = learn_priors(measured, labels)
    with_doubt, without = (
        apply_prior(measured[1], prior),
        apply_prior(measured[1], dataclasses.replace(prior, mismatch=None)),
    )
    assert np.array_equal(with_doubt.raw_depth, without.raw_depth)
    added = np.sqrt((with_doubt.covariance - without.covariance)[1:, 1:].mean())
    expected = np.sqrt(prior.mismatch.share * prior.mismatch.covariance[0, 0]) * labels[1].mean()
    assert 0.4 * expected < added < 1.6 * expected
    assert 0.0 < with_doubt.features["mismatched"] < 1.0 and without.features["mismatched"] == 0.0


def test_saves_and_loads(population, tmp_path) -> None:
    """Guards against a submission whose doubt differs from training's."""
    prior = learn_priors(population[0], population[2])
    prior.save(tmp_path / "prior.npz")
    again = SpectralPrior.load(tmp_path / "prior.npz").mismatch
    assert again.share == prior.mismatch.share and np.array_equal(again.covariance, prior.mismatch.covariance)
    assert np.array_equal(again.mean, prior.mismatch.mean)
