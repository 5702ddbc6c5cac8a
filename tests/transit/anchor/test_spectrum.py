from __future__ import annotations

import dataclasses

import numpy as np

from tests.transit.anchor.synthetic_anchors import make_anchors


def test_errors_are_the_root_of_the_diagonal_and_never_nan() -> None:
    """Guards against a variance that rounding made negative and that turns a whole score into NaN."""
    (anchor,), _ = make_anchors(1)
    covariance = anchor.covariance.copy()
    covariance[0, 0], covariance[1, 1] = -1e-20, 4e-10
    err = dataclasses.replace(anchor, covariance=covariance).depth_err
    assert err[0] == 0.0 and err[1] == 2e-5 and np.isfinite(err).all()
