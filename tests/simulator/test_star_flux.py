from __future__ import annotations

import pytest

from spectramind_kit.simulator import draw_visits, true_light_curve
from spectramind_kit.simulator.light_curves import bin_centres
from spectramind_kit.simulator.star_flux import batch_flux


def test_batch_equals_single_visits():
    """Guards against rows of a batch that mix planets: the batched model and the visit's own light curve
    agree to 0.1 ppm."""
    visits = [draw_visits(2, "train", k)[0] for k in range(3)]
    time, width = bin_centres(64)
    batch = batch_flux(visits, time, exposure_h=width).numpy()
    for row, visit in zip(batch, visits, strict=True):
        assert row == pytest.approx(true_light_curve(visit, time, exposure_h=width), rel=1e-6)
