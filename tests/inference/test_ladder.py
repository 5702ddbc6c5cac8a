"""The rungs of a planet's spectrum: each one touches its own planets, and nothing below it is lost."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.ladder import anchor_rung, flat_rung, naive_rung, network_rung, without_gaps
from spectramind_kit.inference.uncertainty import SensorScale, SigmaScale
from spectramind_kit.metric import Metric

METRIC = Metric(0.0147, 0.0107)
PLANETS = [30, 10, 20]


@pytest.fixture
def naive():
    return naive_rung(PLANETS, np.linspace(0.7, 3.9, 283), METRIC)


def anchors(*planets):
    return {p: SimpleNamespace(depth=np.full(283, p * 1e-3), depth_err=np.full(283, 1e-4)) for p in planets}


def network(*planets, depth=0.03):
    found = {
        "depth_mean": np.full((len(planets), 283), depth),
        "depth_sigma": np.full((len(planets), 283), 1e-4),
    }
    found |= {name: np.ones((len(planets), 4)) for name in ("fused", "fgs1_embedding", "airs_embedding")}
    return {"planet_id": np.array(planets), **found}


def test_flat_depths_that_are_none_stay_naive(naive):
    """Guards against a flat depth of zero, NaN or a binary star's in the submission."""
    flat = {30: 0.01, 10: float("nan"), 20: 0.7}
    above = flat_rung(naive, flat, FlatBaseline(0.9, 2e-4))
    assert above.source.tolist() == ["flat depth", "naive", "naive"]
    assert above.depth_mean[:, 5] == pytest.approx([0.009, 0.0147, 0.0147])
    np.testing.assert_array_equal(above.flat_depth_mean, above.depth_mean)
    assert naive.counts == {"naive": 3}, "the rung below is as it was"


def test_anchors_are_scaled_and_kept_as_they_are(naive):
    """Guards against figures of the anchor that show the widened error bars."""
    above = anchor_rung(
        naive, anchors(20, 30), SigmaScale(SensorScale(anchor_factor=2.0), SensorScale(anchor_factor=3.0))
    )
    assert above.source.tolist() == ["anchor", "naive", "anchor"]
    assert above.depth_sigma[0, :2] == pytest.approx([2e-4, 3e-4]) and above.anchor_err[0, 1] == 1e-4
    assert above.depth_mean[2, 0] == pytest.approx(0.02) and above.anchor_depth[1, 0] == 0.0147


def test_no_anchor_at_all_is_no_error(naive):
    """Guards against an exception where every measurement was refused."""
    assert anchor_rung(naive, {}, SigmaScale()).counts == {"naive": 3}


@pytest.mark.parametrize(
    "scale, source, least, most",
    [
        (SigmaScale(alone=True), "network", 0.03, 0.03),
        (SigmaScale(airs=SensorScale(trust=1.0)), "both", 0.021, 0.029),
        (SigmaScale(), "anchor", 0.02, 0.02),
    ],
)
def test_the_network_counts_as_far_as_it_is_trusted(naive, scale, source, least, most):
    """Guards against a network that is used although it did not help, or on planets that it has not read."""
    below = anchor_rung(naive, anchors(20, 30), SigmaScale())
    above = network_rung(below, network(20), scale)
    assert above.source.tolist() == ["anchor", "naive", source]
    assert least - 1e-9 <= above.depth_mean[2, 7] <= most + 1e-9
    assert above.depth_mean[0, 7] == pytest.approx(0.03)
    assert above.network_depth_mean[2, 7] == 0.03 and np.isnan(above.network_depth_mean[:2]).all()
    assert np.isnan(above.fused[0]).all() and (above.fused[2] == 1).all()


def test_what_is_not_finite_falls_to_the_naive_prediction(naive):
    """Guards against one NaN, for which the host refuses the whole file."""
    broken = anchors(20, 30)
    broken[30].depth_err[17] = np.inf
    whole = without_gaps(anchor_rung(naive, broken, SigmaScale()), METRIC)
    assert whole.source.tolist() == ["naive", "naive", "anchor"] and np.isfinite(whole.depth_sigma).all()


def test_a_planet_without_an_anchor_takes_the_network_alone(naive):
    """Guards against a naive prediction of a planet whose fit failed and whose light curve was read."""
    above = network_rung(anchor_rung(naive, anchors(30), SigmaScale()), network(20), SigmaScale())
    assert above.source.tolist() == ["anchor", "naive", "network"] and above.depth_mean[2, 7] == 0.03
