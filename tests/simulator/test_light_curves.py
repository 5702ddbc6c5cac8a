from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.errors import DataError
from spectramind_kit.simulator import Settings, draw_visits, light_curves_of, simulate_light_curves


def test_a_row_does_not_depend_on_its_batch():
    """Guards against noise that changes with the batch size: pre-training would not be reproducible."""
    whole = simulate_light_curves(4, seed=9)
    part = simulate_light_curves(2, seed=9, start=2)
    rows = [k for k, planet in enumerate(whole.planet_id.tolist()) if planet in part.planet_id.tolist()]
    assert torch.equal(whole.flux[rows], part.flux) and torch.equal(whole.depth[rows], part.depth)


def test_noise_has_the_stated_width():
    """Guards against flux_err that is not the error of flux."""
    settings = Settings(effects=Settings().effects.without("jitter"))
    noisy, clean = (
        simulate_light_curves(3, seed=9, settings=settings, noise=noise) for noise in (True, False)
    )
    pull = ((noisy.flux - clean.flux) / noisy.flux_err).numpy()
    assert pull.mean() == pytest.approx(0.0, abs=5e-3) and pull.std() == pytest.approx(1.0, abs=0.01)


def test_published_noise_levels():
    """Guards against light curves that are too good: per wavelength 0.13–1.0 % in 24 s, FGS1 about 300 ppm in
    20 s."""
    made = simulate_light_curves(20, seed=4)
    relative = (made.flux_err / made.flux).mean(1).numpy() * np.sqrt(made.exposure_h * 3600)
    assert np.median(relative[:, 1:]) / np.sqrt(24) == pytest.approx(0.0026, rel=0.15)
    assert np.median(relative[:, 0]) / np.sqrt(20) == pytest.approx(300e-6, rel=0.2)


def test_light_curve_of_a_row():
    """Guards against a row that the rest of the kit cannot read."""
    made = simulate_light_curves(1, seed=4)
    curve = made.light_curve(0)
    assert isinstance(curve, LightCurve) and curve.flux.shape == (187, 283) and curve.flux.dtype == np.float32
    assert curve.white_airs.shape == (187,) and np.isfinite(curve.flux).all()


def test_nothing_to_simulate_is_an_error():
    """Guards against empty batches that fail far away."""
    with pytest.raises(DataError):
        simulate_light_curves(0, seed=1)
    with pytest.raises(DataError):
        simulate_light_curves(1, seed=1, n_times=4)


def test_rows_of_a_planet_stay_together():
    """Guards against visits under another planet's label or star."""
    made = simulate_light_curves(4, seed=9, settings=Settings(two_visit_fraction=0.6))
    planets = list(made.planets())
    assert len(planets) == 4 and max(len(p.curves) for p in planets) == 2
    assert sum(len(p.curves) for p in planets) == len(made)
    for planet in planets:
        assert {c.planet_id for c in planet.curves} == {planet.planet_id} == {planet.star["planet_id"]}
        assert [c.visit for c in planet.curves] == [v.visit for v in planet.visits]
        assert np.array_equal(planet.label, planet.visits[0].label)


def test_visits_may_be_given():
    """Guards against noise that is the same for two visits, or that changes with their number."""
    visits = [draw_visits(9, "train", k)[0] for k in (0, 0, 1)]
    made, later = light_curves_of(visits, seed=3), light_curves_of(visits[1:], seed=3, start=1)
    assert torch.equal(made.flux[1:], later.flux) and not torch.equal(made.flux[0], made.flux[1])
