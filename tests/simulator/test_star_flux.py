from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator import draw_visits, true_light_curve
from spectramind_kit.simulator.light_curves import bin_centres
from spectramind_kit.simulator.star_flux import batch_flux, star_flux


def test_batch_equals_single_visits():
    """Guards against rows of a batch that mix planets: the batched model and the visit's own light curve
    agree to 0.1 ppm."""
    visits = [draw_visits(2, "train", k)[0] for k in range(3)]
    time, width = bin_centres(64)
    batch = batch_flux(visits, time, exposure_h=width).numpy()
    for row, visit in zip(batch, visits, strict=True):
        assert row == pytest.approx(true_light_curve(visit, time, exposure_h=width), rel=1e-6)


def test_entries_of_the_grid_can_be_taken_alone():
    """Guards against a slice of the grid that mixes wavelengths: FGS1 alone is FGS1 of the whole."""
    visit = draw_visits(2, "train", 1)[0]
    time, width = bin_centres(40)
    whole = star_flux([visit], time, exposure_h=width)[0]
    alone = star_flux([visit], time, exposure_h=width, grid=slice(0, 1))[0]
    assert alone[:, 0].numpy() == pytest.approx(whole[:, 0].numpy(), rel=1e-6)


def test_drift_multiplies_the_light():
    """Guards against a drift that is added, or left out."""
    visit = draw_visits(2, "train", 1)[0]
    time, width = bin_centres(40)
    with_drift, without = (
        star_flux([visit], time, exposure_h=width, gain_drift=on)[0].numpy() for on in (True, False)
    )
    assert with_drift / without == pytest.approx(visit.drift.factor(time), rel=1e-12)


def test_out_of_transit_the_star_has_its_level():
    """Guards against light that is lost or gained on the way."""
    visit = draw_visits(2, "train", 1)[0]
    flux = star_flux([visit], np.array([visit.mid_transit_time + 24.0]), exposure_h=0.01, gain_drift=False)
    assert flux[0, 0].numpy() == pytest.approx(visit.level, rel=1e-12)
