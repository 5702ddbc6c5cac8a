"""The rungs as 03_submit and `predict` climb them; the climb itself stands in test_predictors.py."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.spectra import FoundPlanets, finished, has_network, low_rungs, with_anchors
from spectramind_kit.metric import Metric

WAVELENGTH = np.linspace(0.7, 3.9, 283)
BUNDLE = SimpleNamespace(metric=Metric(0.02, 0.01), flat=FlatBaseline(0.5, 2e-4), weights=())


@pytest.mark.parametrize("bundle, flat, naive", [(BUNDLE, 0.005, 0.02), (None, 0.01, 0.0146926)])
def test_the_low_rungs_are_those_of_the_training(bundle, flat, naive):
    """Guards against the official naive prediction, or a depth that no label has scaled, in place of the
    training's."""
    given = {"planet_ids": [1, 2], "wavelength_um": WAVELENGTH}
    below = low_rungs(FoundPlanets(flat={1: 0.01}), bundle, **given)
    assert below.depth_mean[:, 5] == pytest.approx([flat, naive])
    assert below.source.tolist() == ["flat depth", "naive"]
    assert with_anchors(below, FoundPlanets(), bundle) == (below, {}, {}), "nothing was measured"
    assert has_network(bundle) is (bundle is None)


def test_bins_are_put_back_and_gaps_are_filled_last():
    """Guards against a planet that is not finite in the submission, and against a spectrum in the bundle's
    order of bins."""
    below = low_rungs(FoundPlanets(), BUNDLE, planet_ids=[1, 2], wavelength_um=WAVELENGTH)
    mean = np.stack([np.arange(283.0), np.full(283, np.nan)])
    turn = np.arange(283)[::-1]
    found = finished(replace(below, depth_mean=mean), BUNDLE, order=turn)
    np.testing.assert_array_equal(found.depth_mean[0], mean[0][turn])
    np.testing.assert_array_equal(found.wavelength_um, WAVELENGTH[turn])
    assert (found.depth_mean[1] == 0.02).all() and found.source[1] == "naive"


def test_each_planet_has_the_flags_of_its_own():
    """Guards against one planet's doubt beside another's spectrum."""
    dim, fine, measured = (SimpleNamespace(flags=flags) for flags in (("FGS1 missing",), (), ("grazing",)))
    found = FoundPlanets({7: [dim, fine], 9: [fine], 8: [dim]}, measurements={8: measured})
    assert [found.flags(p) for p in (9, 8, 7, 6)] == [(), ("grazing",), ("FGS1 missing",), ()]
