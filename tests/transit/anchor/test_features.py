from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import Anchor, DepthMeasurement
from spectramind_kit.transit.anchor.features import anchor_features
from tests.transit.anchor.synthetic_anchors import make_anchors

GRID = {"log_amplitude": -9.5, "drift_scale": 1.0, "mismatched": 0.2, "amplitude_surprise": 0.1}


def _features(anchor: Anchor, measurement: DepthMeasurement) -> dict[str, float]:
    return anchor_features(anchor, measurement, anchor.covariance, grid=GRID)


def test_all_are_finite(measurement: DepthMeasurement) -> None:
    """Guards against one number of a broken visit that makes the network's input NaN."""
    (anchor,), _ = make_anchors(1)
    broken = dataclasses.replace(
        measurement, quality={**measurement.quality, "airs_chi2": float("nan"), "log_flux": float("-inf")}
    )
    found = _features(anchor, broken)
    assert np.isfinite(list(found.values())).all() and found["quality_airs_chi2"] == 0.0
    assert GRID.items() <= found.items()


def test_depths_and_errors(measurement: DepthMeasurement) -> None:
    """Guards against FGS1 that leaks into the numbers of AIRS-CH0."""
    (anchor,), _ = make_anchors(1)
    anchor = dataclasses.replace(anchor, depth=np.r_[0.02, np.full(282, 0.01)], nuisance={"fgs1_u1": 0.3})
    found = _features(anchor, measurement)
    assert found["depth"] == pytest.approx(0.01) and found["spread"] == pytest.approx(0.0, abs=1e-12)
    assert found["fgs1_offset"] == pytest.approx(0.01) and found["u1_fgs1"] == 0.3
    assert found["mean_err"] == pytest.approx(np.sqrt(anchor.covariance[1:, 1:].mean()))


def test_a_bin_that_says_nothing_does_not_count_in_the_gap(measurement: DepthMeasurement) -> None:
    """Guards against one dead wavelength that makes every anchor look surprising."""
    (anchor,), _ = make_anchors(1)
    raw_depth, raw_err = anchor.depth + 1e-5, np.full(283, 2e-5)
    even = _features(dataclasses.replace(anchor, raw_depth=raw_depth, raw_err=raw_err), measurement)
    assert even["raw_gap"] == pytest.approx(0.5) and even["raw_gap_fgs1"] == pytest.approx(1e-5)
    raw_depth[50], raw_err[50] = 0.5, 10.0
    found = _features(dataclasses.replace(anchor, raw_depth=raw_depth, raw_err=raw_err), measurement)
    assert found["raw_gap_mean"] == pytest.approx(1e-5, rel=1e-3)
