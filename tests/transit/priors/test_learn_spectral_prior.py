from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import apply_prior, learn_spectral_prior
from spectramind_kit.transit.priors.learn_spectral_prior import _correlation_length
from tests.transit.synthetic import WAVELENGTH
from tests.transit.train_planets import spectra, train


def test_describes_spectra_it_has_not_seen() -> None:
    """Guards against a prior that is too narrow (over-confident) or knows nothing of shapes."""
    depths = spectra(80)
    prior = learn_spectral_prior(depths[:60], WAVELENGTH)
    shapes = depths[:60] - depths[:60, 1:].mean(1, keepdims=True)
    own = np.sqrt(0.8 * shapes[:, 1:].var(1) + 0.2 * (shapes[:, 0] / prior.notes["fgs1_unit"]) ** 2)
    variance = (shapes / own[:, None]).var(0)[1:].mean()
    assert (prior.modes**2).sum(1)[1:].mean() == pytest.approx(variance, rel=0.2)
    ratios = []
    for depth in depths[60:]:
        shape = depth - depth[1:].mean()
        amplitude = np.sqrt(0.8 * shape[1:].var() + 0.2 * (shape[0] / prior.notes["fgs1_unit"]) ** 2)
        shape = shape - amplitude * prior.mean_shape
        noise = 5e-6
        covariance = amplitude**2 * prior.modes @ prior.modes.T + noise**2 * np.eye(283)
        ratios.append(shape @ np.linalg.solve(covariance, shape) / 283)
        few = prior.modes[:, -9:]  # most of a new spectrum lies in the leading modes
        left = shape - few @ np.linalg.lstsq(few, shape, rcond=None)[0]
        assert left.std() < 0.35 * shape.std()
    assert np.median(ratios) < 1.0


@pytest.mark.parametrize("n", [0, 3, 6, 30])
def test_few_planets_give_a_usable_prior(n: int) -> None:
    """Guards against a crash or a collapsed covariance when only a handful of labels is given."""
    measurements, depths = train()
    prior = learn_spectral_prior(spectra(max(n, 1))[:n].reshape(n, 283), WAVELENGTH)
    anchor = apply_prior(measurements[0], prior)
    assert np.isfinite(anchor.depth).all() and anchor.depth_err.min() > 1e-6
    assert np.abs((anchor.depth - depths[0]) / anchor.depth_err).max() < 5.0


def test_rows_that_are_no_label_are_left_out() -> None:
    """Guards against one missing label that makes the whole prior NaN, and against a star of another row."""
    depths, stars = spectra(40), [{"Mp": 1.0 + k} for k in range(40)]
    depths[3], depths[5, 7] = np.nan, -1e-3
    good = [k for k in range(40) if k not in (3, 5)]
    prior = learn_spectral_prior(depths, WAVELENGTH, stars=stars)
    same = learn_spectral_prior(depths[good], WAVELENGTH, stars=[stars[k] for k in good])
    assert prior.learned_from == 38 and np.array_equal(prior.modes, same.modes)
    assert np.array_equal(prior.amplitude_centre, same.amplitude_centre)


def test_amplitude_is_expected_from_the_star_where_that_helps() -> None:
    """Guards against slopes fitted to noise, and a star table that is not used where it tells."""
    rng = np.random.default_rng(0)
    mass = np.exp(rng.normal(size=60))
    shape = np.r_[1.5, np.sin(3.0 * WAVELENGTH[1:])] * (1.0 + 0.1 * rng.normal(size=(60, 283)))
    shape[:, 1:] -= shape[:, 1:].mean(1, keepdims=True)
    told = 0.012 * np.exp(0.3 * rng.normal(size=(60, 1))) + 1e-4 / mass[:, None] * shape
    stars = [{"Ts": 5800.0, "sma": 10.0, "Rs": 1.0, "Mp": m} for m in mass]
    prior = learn_spectral_prior(told, WAVELENGTH, stars=stars)
    ratio = prior.expected_log_amplitude(stars[0], 0.012) - prior.expected_log_amplitude(stars[1], 0.012)
    assert ratio == pytest.approx(np.log(mass[1] / mass[0]), rel=0.1) and prior.amplitude_width < 0.3
    other = learn_spectral_prior(told, WAVELENGTH, stars=[stars[k] for k in rng.permutation(60)])
    assert not other.amplitude_slopes.any() and other.amplitude_width > 0.6
    assert not learn_spectral_prior(told[:29], WAVELENGTH, stars=stars[:29]).amplitude_slopes.any()


def test_length_of_the_rest() -> None:
    """Guards against a rest that is taken for white, or for smooth, where it is the other."""
    rng, wave = np.random.default_rng(0), WAVELENGTH[1:]
    kernel = np.exp(-0.5 * ((wave[:, None] - wave) / 0.1) ** 2)
    smooth = np.linalg.cholesky(kernel + 1e-8 * np.eye(282)) @ rng.normal(size=(282, 200))
    assert _correlation_length(smooth.T, wave) == pytest.approx(0.12, rel=0.2)  # half at 1.18 sigma
    assert _correlation_length(rng.normal(size=(200, 282)), wave) == 0.01


def test_labels_must_have_the_wavelengths() -> None:
    """Guards against labels of another grid that are broadcast."""
    with pytest.raises(DataError, match="do not fit"):
        learn_spectral_prior(np.ones((4, 10)), WAVELENGTH)
