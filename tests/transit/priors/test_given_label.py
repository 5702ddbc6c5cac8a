from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import NuisancePrior
from spectramind_kit.transit.likelihood.gaussian import Projected
from spectramind_kit.transit.priors.given_label import GivenLabels
from spectramind_kit.transit.priors.label_mismatch import default_mismatch, mismatch_basis
from tests.transit.train_planets import mismatched, train


def _given(factor: np.ndarray | float = 1.0, n: int = 4) -> GivenLabels:
    measurements, depths = train()
    return GivenLabels.of([(m, d * factor) for m, d in zip(measurements[:n], depths[:n])])


def test_many_planets_are_solved_as_one() -> None:
    """Guards against priors or light curves of one planet that reach another when they are stacked."""
    measurements, depths = train()
    prior, mismatch = NuisancePrior(), default_mismatch()
    together = _given().posterior(prior, mismatch)
    alone = GivenLabels.of([(measurements[2], depths[2])]).posterior(prior, mismatch)
    sd = np.sqrt(alone.variance[0])
    assert np.abs((together.mean[2] - alone.mean[0]) / sd).max() < 1e-6
    assert together.mismatch.probability[2] == pytest.approx(alone.mismatch.probability[0], rel=1e-5)
    assert len(_given()) == 4


def test_nothing_is_projected_but_the_mismatch() -> None:
    """Guards against a label that is not held: information on (m, a) is that of depths along its basis."""
    measurements, depths = train()
    given, (m, label) = _given(), (measurements[1], depths[1])
    basis = mismatch_basis(m.wavelength_um, label)
    expected = Projected.of(m, basis, label)
    assert np.array_equal(given.projected.information[1], expected.information)
    own = basis.T @ (m.depth_information[:, None] * basis)
    lost = basis.T @ m.common_noise[:283]
    assert np.allclose(expected.information[:6, :6], own - lost @ lost.T)


def test_a_fit_that_went_astray_is_not_trusted() -> None:
    """Guards against a planet of quite another depth that counts as a mismatch of the population."""
    honest, astray = (_given(f).posterior(NuisancePrior(), default_mismatch()).mismatch for f in (1.0, 1.5))
    assert (honest.trust > 0.9).all() and (astray.trust < 0.01).all()


def test_mismatch_is_found_where_it_is() -> None:
    """Guards against a sign that is turned: a depth that is shown 1 % too large has m = + 1 %."""
    measurements, depths = mismatched()
    given = GivenLabels.of(list(zip(measurements, depths)))
    seen = given.posterior(NuisancePrior(), dataclasses.replace(default_mismatch(), share=0.3)).mismatch
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 40)
    some = np.arange(40) % 3 == 0
    assert np.median(seen.mean[some, 0] * signs[some]) == pytest.approx(0.01, rel=0.5)
    assert seen.probability[some].mean() > seen.probability[~some].mean() + 0.2
    assert (np.linalg.eigvalsh(seen.second_moment) > 0).all() and (seen.absolute_variance > 0).all()
