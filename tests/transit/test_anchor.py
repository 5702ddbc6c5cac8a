from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.transit import (
    SpectralPrior,
    apply_prior,
    assign_folds,
    calibrate,
    cross_fit,
    default_spectral_prior,
    fit_calibration,
    identity_calibration,
    learn_priors,
    learn_spectral_prior,
    measure_depths,
)
from spectramind_kit.transit.anchor.calibration import AnchorCalibration, _planet_scores
from spectramind_kit.transit.anchor.spectrum import Anchor
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

torch.set_num_threads(1)


def _spectra(n: int) -> np.ndarray:
    return np.array([make_planet(seed).depth for seed in range(n)])


@pytest.fixture(scope="module")
def train() -> tuple[list, np.ndarray]:
    planets = [make_planet(seed) for seed in range(16)]
    return (
        [measure_depths([make_light_curve(p, seed=k)], p.star) for k, p in enumerate(planets)],
        np.array([p.depth for p in planets]),
    )


def test_prior_describes_spectra_it_has_not_seen() -> None:
    """Guards against a prior that is too narrow (over-confident) or knows nothing of shapes."""
    depths = _spectra(80)
    prior = learn_spectral_prior(depths[:60], WAVELENGTH)
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


def test_what_spectra_have_in_common_is_expected_of_the_next_one(train) -> None:
    """Guards against a prior that knows how much a band varies but not that it always points up."""
    bump = np.r_[1.5, np.exp(-0.5 * ((WAVELENGTH[1:] - 2.7) / 0.15) ** 2)]
    rng = np.random.default_rng(0)
    depths = 0.012 + 1e-4 * np.exp(0.5 * rng.normal(size=(60, 1))) * (
        bump + 0.1 * rng.normal(size=(60, 1)) * (WAVELENGTH - 2.9)
    )
    prior = learn_spectral_prior(depths, WAVELENGTH)
    shape = bump - bump[1:].mean()
    assert np.corrcoef(prior.mean_shape[1:], shape[1:])[0, 1] > 0.98 and prior.mean_shape[0] > 0.0
    # light curves that say next to nothing: the anchor has the bump, with the amplitude that is expected
    m = dataclasses.replace(
        train[0][0],
        depth_information=1e-6 * train[0][0].depth_information,
        coupling=1e-6 * train[0][0].coupling,
        common_noise=np.zeros_like(train[0][0].common_noise),
        depth_score=0.0 * train[0][0].depth_score,
    )
    anchor = apply_prior(m, prior)
    assert np.corrcoef(anchor.depth[1:], shape[1:])[0, 1] > 0.98
    assert anchor.depth[1:].std() == pytest.approx(np.median(depths[:, 1:].std(1)), rel=0.6)


@pytest.mark.parametrize("n", [0, 3, 6, 30])
def test_prior_from_few_planets_is_usable(n: int, train) -> None:
    """Guards against a crash or a collapsed covariance when only a handful of labels is given."""
    prior = learn_spectral_prior(_spectra(max(n, 1))[:n].reshape(n, 283), WAVELENGTH)
    anchor = apply_prior(train[0][0], prior)
    assert np.isfinite(anchor.depth).all() and anchor.depth_err.min() > 1e-6
    assert np.abs((anchor.depth - train[1][0]) / anchor.depth_err).max() < 5.0


def test_prior_saves_and_loads(tmp_path) -> None:
    """Guards against a submission that uses another prior than training."""
    prior = learn_spectral_prior(_spectra(20), WAVELENGTH)
    prior.save(tmp_path / "prior.npz")
    again = SpectralPrior.load(tmp_path / "prior.npz")
    assert np.array_equal(again.modes, prior.modes) and again.nuisance == prior.nuisance
    assert again.log_amplitude == prior.log_amplitude and again.learned_from == 20
    with pytest.raises(DataError, match="cannot be read"):
        SpectralPrior.load(tmp_path / "missing.npz")
    with pytest.raises(DataError, match="do not fit"):
        learn_spectral_prior(np.ones((4, 10)), WAVELENGTH)


def _fake_anchors(n: int, *, scale: float, bias: float, seed: int = 0) -> tuple[list[Anchor], np.ndarray]:
    """Anchors with errors of a known covariance times ``scale``^2 and a relative bias."""
    rng = np.random.default_rng(seed)
    base = np.full((283, 283), (3e-5) ** 2) + np.eye(283) * (2e-5) ** 2
    root, depths, anchors = np.linalg.cholesky(base), _spectra(n), []
    for k, depth in enumerate(depths):
        guess = depth * (1.0 + bias) + scale * root @ rng.normal(size=283)
        features = {
            "depth": guess[1:].mean(),
            "spread": 5e-5,
            "fgs1_offset": 1e-5,
            "u1_fgs1": 0.48,
            "quality_log_flux": 16.0,
            "quality_airs_chi2": 1.0,
            "quality_n_out_of_transit": 80.0 + k % 7,
            "amplitude_surprise": rng.normal(),
            "raw_gap": 2e-5,
            "airs_err": 3.6e-5,
            "impact2": rng.uniform(0, 0.5),
            "quality_n_visits": 1.0,
        }
        anchors.append(
            Anchor(
                planet_id=k,
                wavelength_um=WAVELENGTH,
                depth=guess,
                covariance=base,
                raw_depth=guess,
                raw_err=np.sqrt(np.diagonal(base)),
                features=features,
            )
        )
    return anchors, depths


def _score(anchors, depths, metric) -> float:
    return metric.score(
        depths, np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])
    )


def test_calibration_repairs_scale_and_bias() -> None:
    """Guards against a calibration that does not reach the official score of well-scaled error bars."""
    anchors, depths = _fake_anchors(160, scale=2.5, bias=4e-3)
    metric = Metric.of(depths)
    calibration = fit_calibration(anchors[:100], depths[:100], metric=metric)
    assert not calibration.identity and calibration.score_after > calibration.score_before + 0.05
    repaired = [calibrate(a, calibration) for a in anchors[100:]]
    assert _score(repaired, depths[100:], metric) > _score(anchors[100:], depths[100:], metric) + 0.05
    pull = np.array([(a.depth - d) / a.depth_err for a, d in zip(repaired, depths[100:])])
    assert 0.8 < pull[:, 1:].std() < 1.25 and abs(pull[:, 1:].mean()) < 0.35


def test_calibration_is_the_identity_where_nothing_is_wrong() -> None:
    """Guards against noise that is fitted: honest anchors must come back (nearly) unchanged."""
    anchors, depths = _fake_anchors(120, scale=1.0, bias=0.0)
    calibration = fit_calibration(anchors, depths)
    for a in anchors[:5]:
        b = calibrate(a, calibration)
        assert np.abs(b.depth - a.depth).max() < 0.5 * a.depth_err.max()
        assert 0.75 < (b.depth_err / a.depth_err).mean() < 1.35
    assert calibrate(anchors[0], identity_calibration()) is anchors[0]


def test_few_planets_are_not_calibrated() -> None:
    """Guards against two dozen numbers fitted to a dozen planets."""
    anchors, depths = _fake_anchors(10, scale=1.0, bias=0.0)
    calibration = fit_calibration(anchors, depths)
    assert calibration.identity and calibrate(anchors[0], calibration) is anchors[0]


def test_few_planets_get_a_cautious_error(train) -> None:
    """Guards against a bare posterior that one contaminated star turns into a score of zero: with too few
    planets to learn from, labels may differ by what is usual."""
    measurements, depths = train
    prior = learn_priors(measurements[:5], depths[:5])
    careful, bare = (
        apply_prior(measurements[6], prior),
        apply_prior(measurements[6], dataclasses.replace(prior, mismatch=None)),
    )
    added = np.sqrt((careful.covariance - bare.covariance)[1:, 1:].mean())
    assert 0.7e-3 < added / depths[6].mean() < 2e-3


def test_calibration_scores_as_the_official_metric_does() -> None:
    """Guards against a training objective that is not the score."""
    anchors, depths = _fake_anchors(12, scale=1.3, bias=0.0)
    metric = Metric.of(depths)
    mean, sigma = (np.array([getattr(a, k) for a in anchors]) for k in ("depth", "depth_err"))
    ours = float(_planet_scores(metric, *(torch.as_tensor(v) for v in (depths, mean, sigma))).mean())
    assert ours == pytest.approx(metric.score(depths, mean, sigma), abs=1e-9)


def test_calibration_saves_and_loads(tmp_path) -> None:
    """Guards against a submission calibrated otherwise than training said."""
    anchors, depths = _fake_anchors(60, scale=2.0, bias=0.0)
    calibration = fit_calibration(anchors, depths)
    calibration.save(tmp_path / "c.json")
    again = AnchorCalibration.load(tmp_path / "c.json")
    assert np.array_equal(
        calibrate(anchors[0], again).depth_err, calibrate(anchors[0], calibration).depth_err
    )
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(DataError):
        AnchorCalibration.load(tmp_path / "c.json")


def test_cross_fit_never_uses_a_planet_for_itself(train) -> None:
    """Guards against a leak: changing one label must not change that planet's own held-out anchor."""
    measurements, depths = train
    folds = assign_folds(len(depths), folds=4, seed=1)
    first = cross_fit(measurements, depths, folds=folds)
    changed = depths.copy()
    changed[3] *= 1.02
    second = cross_fit(measurements, changed, folds=folds)
    assert np.array_equal(first.uncalibrated[3].depth, second.uncalibrated[3].depth)
    assert not np.array_equal(
        first.uncalibrated[int(np.flatnonzero(folds != folds[3])[0])].depth,
        second.uncalibrated[int(np.flatnonzero(folds != folds[3])[0])].depth,
    )


def test_cross_fit_beats_one_flat_depth(train) -> None:
    """Guards against an anchor that is worse than the white-light depth it starts from."""
    measurements, depths = train
    fitted = cross_fit(measurements, depths, folds=4)
    metric = Metric.of(depths)
    flat = np.repeat(np.array([m.reference_depth[1:].mean() for m in measurements])[:, None], 283, 1)
    best_flat = max(metric.score(depths, flat, np.full_like(flat, s)) for s in np.geomspace(2e-5, 1e-3, 20))
    assert _score(fitted.anchors, depths, metric) > best_flat + 0.05
    assert len(fitted.anchors) == len(depths) and fitted.prior.nuisance.learned_from == len(depths)
    anchor = fitted.predict(measurements[0])
    assert np.linalg.eigvalsh(anchor.covariance).min() > -1e-12


def test_default_prior_needs_no_label() -> None:
    """Guards against an ad-hoc use that asks for training first."""
    prior = default_spectral_prior(WAVELENGTH)
    assert prior.modes.shape[0] == 283 and prior.learned_from == 0
