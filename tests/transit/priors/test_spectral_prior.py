from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import SpectralPrior, default_spectral_prior, learn_priors, learn_spectral_prior
from spectramind_kit.transit.priors.spectral_prior import (
    amplitude_features,
    factors,
    matern52,
    shape_covariance,
    squared_exponential,
)
from tests.transit.synthetic import WAVELENGTH
from tests.transit.train_planets import mismatched, spectra

STAR = {"Ts": 5800.0, "sma": 10.0, "Mp": 1.0, "Rs": 1.0}


def test_default_prior_needs_no_label() -> None:
    """Guards against an ad-hoc use that asks for training first."""
    prior = default_spectral_prior(WAVELENGTH)
    assert prior.modes.shape[0] == 283 and prior.learned_from == 0 and prior.mismatch is None
    variance = (prior.modes**2).sum(1)
    assert variance[0] == pytest.approx(4.0) and np.allclose(variance[1:], 1.2, rtol=1e-3)


def test_saves_and_loads(tmp_path) -> None:
    """Guards against a submission that uses another prior than training."""
    prior = learn_spectral_prior(spectra(20), WAVELENGTH)
    prior.save(tmp_path / "prior.npz")
    again = SpectralPrior.load(tmp_path / "prior.npz")
    assert np.array_equal(again.modes, prior.modes) and again.nuisance == prior.nuisance
    assert again.log_amplitude == prior.log_amplitude and again.learned_from == 20
    assert again.mismatch is None and again.notes == prior.notes
    with pytest.raises(DataError, match="cannot be read"):
        SpectralPrior.load(tmp_path / "missing.npz")


def test_saves_what_was_learned_with_it(tmp_path) -> None:
    """Guards against a submission whose doubt or drift differs from training's."""
    prior = learn_priors(*mismatched())
    prior.save(tmp_path / "prior.npz")
    again = SpectralPrior.load(tmp_path / "prior.npz")
    for one, other in ((prior.mismatch, again.mismatch), (prior.nuisance, again.nuisance)):
        for f in dataclasses.fields(one):
            assert np.array_equal(getattr(one, f.name), getattr(other, f.name)), f.name


def test_amplitude_follows_the_scale_height() -> None:
    """Guards against a missing entry of the star table that gives NaN, and against H in other units."""
    jupiter = amplitude_features(STAR, 0.01)
    assert np.exp(jupiter[1]) == pytest.approx(5800.0 * math.sqrt(0.05))  # equilibrium temperature
    assert 5e-5 < np.exp(jupiter[2]) < 3e-4  # 2 r H / Rs of a hot Jupiter
    lighter, hotter = (amplitude_features({**STAR, **c}, 0.01) for c in ({"Mp": 0.5}, {"Ts": 11600.0}))
    assert lighter[2] - jupiter[2] == pytest.approx(math.log(2.0)) == hotter[2] - jupiter[2]
    broken = amplitude_features({"Ts": -1.0, "sma": float("nan")}, -0.1)
    assert np.isfinite(broken).all()
    prior = dataclasses.replace(default_spectral_prior(WAVELENGTH), amplitude_slopes=np.array([0, 0, 1.0, 0]))
    risen = prior.expected_log_amplitude({**STAR, "Mp": 0.5}, 0.01) - prior.expected_log_amplitude(STAR, 0.01)
    assert risen == pytest.approx(math.log(2.0))


def test_a_level_surprises_on_either_side() -> None:
    """Guards against depths that no planet has and that pass as usual."""
    prior = default_spectral_prior(WAVELENGTH)
    assert abs(prior.level_surprise(prior.level)) < 0.5
    assert prior.level_surprise(1e-5) < -4.0 and prior.level_surprise(0.5) > 4.0
    assert math.isfinite(prior.level_surprise(-0.01))


def test_kernels_are_correlations_and_their_factors_give_them_back() -> None:
    """Guards against a kernel that is not positive and modes that lose variance."""
    x = np.linspace(2.0, 4.0, 60)
    for kernel in (matern52(x, 0.25), squared_exponential(x, 0.5)):
        assert np.allclose(np.diagonal(kernel), 1.0) and np.linalg.eigvalsh(kernel).min() > -1e-10
        assert 0.3 < np.interp(0.3, x - x[0], kernel[0]) < 0.9
        whole = shape_covariance(kernel, fgs1=4.0)
        columns = factors(whole, share=1e-7)
        assert np.allclose(columns @ columns.T, whole, atol=1e-4) and not whole[0, 1:].any()
