from __future__ import annotations

import numpy as np
import torch

from spectramind_kit.transit.anchor.calibration_table import CalibrationTable
from tests.transit.anchor.synthetic_anchors import make_anchors


def test_parts_of_the_variance_add_up() -> None:
    """Guards against a covariance that is split into mean and shape with one part lost or counted twice."""
    anchors, _ = make_anchors(3)
    t = CalibrationTable.of(anchors)
    own = torch.as_tensor(np.array([np.diagonal(a.covariance) for a in anchors]))
    assert torch.allclose(t.airs_mean[:, None] + t.airs_shape + t.airs_cross, own[:, 1:])
    assert torch.allclose(t.fgs1, own[:, 0])


def test_thinning_keeps_places_and_labels_together() -> None:
    """Guards against labels of other bins than the depths, and against FGS1 that is thinned away."""
    anchors, labels = make_anchors(4)
    whole = CalibrationTable.of(anchors, labels)
    thin = whole.thinned()
    at = [0, *(1 + int(k) for k in np.searchsorted(whole.place.numpy(), thin.place.numpy()))]
    assert 20 < len(at) < 60
    assert torch.equal(thin.depth, whole.depth[:, at]) and torch.equal(thin.label, whole.label[:, at])
    assert torch.equal(thin.airs_shape, whole.airs_shape[:, [k - 1 for k in at[1:]]])


def test_rows_are_of_the_same_anchors_everywhere() -> None:
    """Guards against a cross-validation that mixes one planet's depth with another's features."""
    anchors, labels = make_anchors(6)
    some, alone = CalibrationTable.of(anchors, labels).rows(np.array([4, 1])), [anchors[4], anchors[1]]
    assert torch.equal(some.depth, CalibrationTable.of(alone).depth)
    assert torch.equal(some.columns, CalibrationTable.of(alone).columns)
    assert np.array_equal(some.label.numpy(), labels[[4, 1]])


def test_a_column_that_does_not_vary_predicts_nothing() -> None:
    """Guards against 0/0 where all planets have one visit."""
    table = CalibrationTable.of(make_anchors(5)[0])
    centres, widths = table.standards()
    standardised = (table.columns - centres) / widths
    assert standardised.isfinite().all() and (standardised[:, -1] == 0).all()
    assert standardised[:, 6].std() > 0.5  # b^2 does vary
