from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.transit import calibrate, fit_calibration, flags
from spectramind_kit.transit.anchor.calibration_fit import _cross_validated, _Planets
from spectramind_kit.transit.anchor.calibration_table import CalibrationTable
from tests.transit.anchor.synthetic_anchors import make_anchors, score, stacked

torch.set_num_threads(1)


def test_repairs_scale_and_bias() -> None:
    """Guards against a calibration that does not reach the official score of well-scaled error bars."""
    anchors, depths = make_anchors(160, scale=2.5, bias=4e-3)
    metric = Metric.of(depths)
    calibration = fit_calibration(anchors[:100], depths[:100], metric=metric)
    assert not calibration.identity and calibration.score_after > calibration.score_before + 0.05
    repaired = [calibrate(a, calibration) for a in anchors[100:]]
    assert score(repaired, depths[100:], metric) > score(anchors[100:], depths[100:], metric) + 0.05
    pull = np.array([(a.depth - d) / a.depth_err for a, d in zip(repaired, depths[100:])])
    assert 0.8 < pull[:, 1:].std() < 1.25 and abs(pull[:, 1:].mean()) < 0.35


def test_is_the_identity_where_nothing_is_wrong() -> None:
    """Guards against noise that is fitted: honest anchors must come back (nearly) unchanged."""
    anchors, depths = make_anchors(120)
    calibration = fit_calibration(anchors, depths)
    for a in anchors[:5]:
        b = calibrate(a, calibration)
        assert np.abs(b.depth - a.depth).max() < 0.5 * a.depth_err.max()
        assert 0.75 < (b.depth_err / a.depth_err).mean() < 1.35


def test_few_planets_are_not_calibrated() -> None:
    """Guards against two dozen numbers fitted to a dozen planets; those without label or light count not."""
    anchors, depths = make_anchors(26, scale=3.0)
    assert not fit_calibration(anchors, depths, strength=1.0).identity
    depths[0] = np.nan
    anchors[1] = dataclasses.replace(anchors[1], flags=(flags.NO_INFORMATION,))
    assert fit_calibration(anchors, depths, strength=1.0).n_planets == 24
    anchors[2] = dataclasses.replace(anchors[2], flags=(flags.NO_INFORMATION,))
    few = fit_calibration(anchors, depths, strength=1.0)
    assert few.identity and few.n_planets == 23


def test_a_stronger_pull_stays_nearer_to_the_identity() -> None:
    """Guards against a strength that is not used, or the wrong way round."""
    anchors, depths = make_anchors(40, scale=2.0)
    weak, strong = (fit_calibration(anchors, depths, strength=s).values for s in (1.0, 1000.0))
    assert np.abs(strong).max() < 0.5 * np.abs(weak).max()


def test_cross_validation_has_not_seen_the_planet_that_it_scores() -> None:
    """Guards against a gain that is only the fit's own: out of fold it must be smaller than in sample."""
    anchors, depths = make_anchors(40)
    table = CalibrationTable.of(anchors, depths)
    planets = _Planets(table, *table.standards(), Metric.of(depths))
    inside = planets.scores(*planets.calibrated(planets.fitted(1.0))).mean()
    assert _cross_validated(planets)[0].mean() < inside - 0.002


def test_scores_as_the_official_metric_does() -> None:
    """Guards against a training objective that is not the score, also where bins are thinned."""
    anchors, depths = make_anchors(12, scale=1.3)
    metric = Metric.of(depths)
    mean, sigma = stacked(anchors)
    table = CalibrationTable.of(anchors, depths)
    planets = _Planets(table, *table.standards(), metric)
    ours = planets.scores(torch.as_tensor(mean), torch.as_tensor(sigma))
    assert np.allclose(ours, metric.planet_scores(depths, mean, sigma), atol=1e-12)
    thin = dataclasses.replace(planets, table=table.thinned())
    bins = [0, *(1 + np.flatnonzero(np.isin(table.place.numpy(), thin.table.place.numpy())))]
    flat = thin.scores(
        *(torch.as_tensor(v[:, bins]) for v in (np.full_like(mean, metric.mean), sigma * 0 + 0.01))
    )
    whole = planets.scores(*(torch.as_tensor(v) for v in (np.full_like(mean, metric.mean), sigma * 0 + 0.01)))
    assert torch.allclose(flat, whole, atol=1e-3)


def test_labels_must_be_those_of_the_anchors() -> None:
    """Guards against labels that are silently cut to the number of anchors."""
    anchors, depths = make_anchors(3)
    with pytest.raises(DataError, match="do not fit"):
        fit_calibration(anchors, depths[:2])
