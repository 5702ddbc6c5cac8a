from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.transit import SpectralPrior, apply_prior, learn_priors, measure_together
from spectramind_kit.transit.label_mismatch import default_mismatch, mismatch_basis
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

torch.set_num_threads(1)


def test_basis_and_modes() -> None:
    """Guards against a slope that leaks into the level or FGS1, and modes of another covariance than the one given."""
    basis = mismatch_basis(WAVELENGTH)
    assert basis.shape == (283, 3) and np.all(basis[:, 0] == 1.0) and basis[1:, 1].max() == 0.0 and basis[0, 2] == 0.0
    assert basis[1, 2] == pytest.approx(-1.0) and basis[-1, 2] == pytest.approx(1.0)
    mismatch = default_mismatch()
    modes = mismatch.modes(WAVELENGTH)
    assert np.allclose(modes @ modes.T, basis @ mismatch.covariance @ basis.T)


def test_moments_of_a_sample_come_back() -> None:
    """Guards against a wrong M step: many planets whose mismatch is known give its share, mean and covariance."""
    rng = np.random.default_rng(0)
    covariance = np.diag([4e-3, 2e-3, 1e-3]) ** 2
    some = rng.random(4000) < 0.3
    m = rng.multivariate_normal([1e-3, 3e-3, 0.0], covariance, 4000) * some[:, None]
    found = default_mismatch().updated(m, m[:, :, None] * m[:, None, :], some.astype(float))
    assert found.share == pytest.approx(0.3, abs=0.03) and found.learned_from == 4000
    assert np.allclose(found.mean, [1e-3, 3e-3, 0.0], atol=3e-4)
    assert np.allclose(np.sqrt(np.diag(found.covariance)), [4e-3, 2e-3, 1e-3], rtol=0.1)


@pytest.fixture(scope="module")
def population() -> tuple[list, list, np.ndarray]:
    """40 planets; every third shows a depth that is 1 % off its label, FGS1 2 %."""
    planets = [make_planet(seed) for seed in range(40)]
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 40)
    factor = np.where(np.arange(283) == 0, 0.02, 0.01)
    shown = [p.depth * (1.0 + (k % 3 == 0) * sign * factor) for k, (p, sign) in enumerate(zip(planets, signs))]
    measured = measure_together([([make_light_curve(p, seed=k, depth=d, planet_id=k)], p.star)
                                 for k, (p, d) in enumerate(zip(planets, shown))])
    clean = measure_together([([make_light_curve(p, seed=k, planet_id=k)], p.star) for k, p in enumerate(planets)])
    return measured, clean, np.array([p.depth for p in planets])


def test_is_learned_where_there_is_one_and_not_where_there_is_none(population) -> None:
    """Guards against error bars that lack what no light curve can tell, and against doubt about labels that are right."""
    measured, clean, labels = population
    found, none = learn_priors(measured, labels).mismatch, learn_priors(clean, labels).mismatch
    assert 0.15 < found.share < 0.5 and 0.006 < np.sqrt(found.covariance[0, 0]) < 0.016
    assert found.covariance[0, 1] > 0.0                                       # FGS1 is off in the same direction
    # what it adds to an error bar on average: almost nothing where all labels are right
    assert np.sqrt(none.share * none.covariance[0, 0]) < 0.0012 < np.sqrt(found.share * found.covariance[0, 0])


def test_widens_the_label_but_not_the_raw_depth(population) -> None:
    """Guards against a mismatch that is counted as the transit's: the label's error grows by it, the raw spectrum stays."""
    measured, _, labels = population
    prior = learn_priors(measured, labels)
    with_doubt, without = apply_prior(measured[1], prior), apply_prior(measured[1], dataclasses.replace(prior, mismatch=None))
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
