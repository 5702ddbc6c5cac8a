from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.transit import (
    AnchorSettings,
    NuisancePrior,
    apply_prior,
    assign_folds,
    cross_fit,
    default_spectral_prior,
    fit_anchor,
    learn_priors,
    measure_depths,
)
from spectramind_kit.transit.anchor import recipes
from tests.transit.anchor.synthetic_anchors import make_anchors, score
from tests.transit.train_planets import train

WIDE = AnchorSettings(
    axis_tail=0.9, impact_tail=0.7, axis_scatter=0.2, impact_scatter=0.3, time_offset_scatter=0.1
)


def test_folds_are_of_equal_size_and_differ_by_seed() -> None:
    """Guards against a fold without a planet, and against a seed that is ignored."""
    folds = assign_folds(17, folds=5)
    assert np.bincount(folds).tolist() == [4, 4, 3, 3, 3]
    assert not np.array_equal(folds, assign_folds(17, folds=5, seed=1))
    assert sorted(assign_folds(3, folds=5)) == [0, 1, 2]


def test_cross_fit_never_uses_a_planet_for_itself() -> None:
    """Guards against a leak: changing one label must not change that planet's own held-out anchor."""
    measurements, depths = train()
    folds = assign_folds(len(depths), folds=4, seed=1)
    first = cross_fit(measurements, depths, folds=folds)
    changed = depths.copy()
    changed[3] *= 1.02
    second = cross_fit(measurements, changed, folds=folds)
    other = int(np.flatnonzero(folds != folds[3])[0])
    assert np.array_equal(first.uncalibrated[3].depth, second.uncalibrated[3].depth)
    assert not np.array_equal(first.uncalibrated[other].depth, second.uncalibrated[other].depth)


def test_calibrations_are_out_of_fold_too(monkeypatch) -> None:
    """Guards against a held-out anchor that its own label has calibrated."""
    anchors, depths = make_anchors(60, scale=2.5)
    measurements, _ = train()
    found = [dataclasses.replace(measurements[0]) for _ in anchors]
    row = {id(m): k for k, m in enumerate(found)}
    monkeypatch.setattr(recipes, "learn_priors", lambda *args, **kwargs: None)
    monkeypatch.setattr(recipes, "apply_prior", lambda m, prior: anchors[row[id(m)]])
    folds = assign_folds(60, folds=4)
    first = cross_fit(found, depths, folds=folds)
    assert not first.calibration.identity
    changed = depths.copy()
    changed[folds == 2] *= 1.01
    second = cross_fit(found, changed, folds=folds, metric=Metric.of(depths))
    same = [np.array_equal(a.depth_err, b.depth_err) for a, b in zip(first.anchors, second.anchors)]
    assert np.array_equal(same, folds == 2)


def test_cross_fit_beats_one_flat_depth() -> None:
    """Guards against an anchor that is worse than the white-light depth it starts from."""
    measurements, depths = train()
    fitted, metric = cross_fit(measurements, depths, folds=4), Metric.of(depths)
    flat = np.repeat(np.array([m.reference_depth[1:].mean() for m in measurements])[:, None], 283, 1)
    best_flat = max(metric.score(depths, flat, np.full_like(flat, s)) for s in np.geomspace(2e-5, 1e-3, 20))
    assert score(fitted.anchors, depths, metric) > best_flat + 0.05
    assert len(fitted.anchors) == len(depths) and fitted.prior.nuisance.learned_from == len(depths)
    assert np.linalg.eigvalsh(fitted.predict(measurements[0]).covariance).min() > -1e-12


def test_one_fold_learns_from_all() -> None:
    """Guards against a crash where only one fold is asked for."""
    measurements, depths = train()
    fitted = cross_fit(measurements[:6], depths[:6], folds=1)
    assert [a.planet_id for a in fitted.anchors] == [m.planet_id for m in measurements[:6]]


def test_labels_must_be_those_of_the_measurements() -> None:
    """Guards against labels that are silently cut, and a crash without a planet."""
    measurements, depths = train()
    for given in (measurements, []):
        with pytest.raises(DataError, match="do not fit"):
            cross_fit(given, depths[:-1])
    table = pd.DataFrame(depths, index=[m.planet_id for m in measurements])
    found, wanted = (cross_fit(measurements[:6], own, folds=2) for own in (table[::-1], depths[:6]))
    assert all(np.array_equal(a.depth, b.depth) for a, b in zip(found.anchors, wanted.anchors))


@pytest.mark.parametrize("n", [5, 16])
def test_settings_reach_the_learned_priors(n: int) -> None:
    """Guards against an override (anchor.axis_scatter=…) that only the fit sees: the priors that are learned
    start from it, and what is not learned stays at it."""
    measurements, depths = (v[:n] for v in train())
    given, usual = (learn_priors(measurements, depths, settings=s).nuisance for s in (WIDE, AnchorSettings()))
    assert (given.axis_tail, given.impact_tail) == (0.9, 0.7)
    for name in ("axis_scatter", "impact_scatter", "time_offset_scatter"):
        assert getattr(given, name) > getattr(usual, name)
        assert (getattr(given, name) == getattr(WIDE, name)) is (n == 5)
    fitted = cross_fit(measurements, depths, folds=2, settings=WIDE)
    assert fitted.prior.nuisance.axis_tail == 0.9


def test_settings_reach_an_anchor_without_training(planet, curve) -> None:
    """Guards against a notebook's settings that the default prior does not know."""
    tight = AnchorSettings(axis_scatter=0.001, axis_tail=0.002, impact_scatter=0.001, impact_tail=0.002)
    m = measure_depths([curve], planet.star, settings=tight)
    nuisance = NuisancePrior.from_settings(tight)
    expected = apply_prior(m, default_spectral_prior(m.wavelength_um, nuisance=nuisance))
    found = fit_anchor(curve, planet.star, settings=tight)
    assert np.array_equal(found.depth, expected.depth)
    assert not np.array_equal(found.covariance, apply_prior(m).covariance)
