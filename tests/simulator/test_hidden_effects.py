"""Other limb-darkening laws, spots and ramps against what can be computed in another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.simulator.hidden_effects import (
    HiddenEffects,
    Ramp,
    Spot,
    draw_other_law,
    lens_area,
    steps_of_profile,
)
from spectramind_kit.transit import spectral_transit

SEPARATION = np.linspace(0.0, 1.3, 60)


def test_lens_area_of_simple_cases():
    """Guards the area that two disks share: apart, one in the other, equal disks a radius apart."""
    third = 2 * np.pi / 3 - np.sqrt(3) / 2
    np.testing.assert_allclose(
        lens_area([1.0, 1.0, 1.0], [2.5, 0.3, 1.0], [0.5, 0.2, 1.0]), [0.0, np.pi * 0.04, third], atol=1e-12
    )


def test_disks_give_the_quadratic_law_of_other_coefficients():
    """Guards the stack of disks: from one quadratic law to another it reaches the exact transit, to 5 ppm."""
    radius, (u1, u2), (v1, v2) = 0.12, (0.3, 0.2), (0.45, 0.05)

    def exact(a: float, b: float) -> np.ndarray:
        one = torch.ones(1, 1, dtype=torch.float64)
        return spectral_transit(torch.as_tensor(SEPARATION)[None], radius * one, a * one, b * one)[
            0, :, 0
        ].numpy()

    def profile(mu: np.ndarray, a: float, b: float) -> np.ndarray:
        return (1 - a * (1 - mu) - b * (1 - mu) ** 2)[None]

    steps = steps_of_profile(lambda mu: profile(mu, v1, v2), lambda mu: profile(mu, u1, u2))
    excess = HiddenEffects(limb_steps=steps).transit_excess(SEPARATION, radius, 0.0)[:, 0]
    np.testing.assert_allclose(exact(u1, u2) + excess, exact(v1, v2), atol=5e-6)
    assert np.abs(excess).max() > 2e-4


def test_another_law_adds_no_light_of_its_own():
    """Guards the normalisation: a planet as large as the star hides all of it, whatever the law."""
    rng, u = np.random.default_rng(0), np.full(3, 0.2)
    for _ in range(8):
        steps = draw_other_law(rng, u, u)
        whole = HiddenEffects(limb_steps=steps).transit_excess(np.zeros(1), 1.5, 0.0)
        np.testing.assert_allclose(whole, 0.0, atol=1e-6)
        small = HiddenEffects(limb_steps=steps).transit_excess(SEPARATION, 0.1, 0.0)
        assert 1e-6 < np.abs(small).max() < 1e-3


def test_a_spot_brightens_while_it_is_hidden():
    """Guards sign, place and size of a spot crossing."""
    along = np.linspace(-1.3, 1.3, 201)
    spot = Spot(place=0.4, offset=0.0, radius=0.05, darkness=np.full(4, 0.5))
    excess = HiddenEffects(spot=spot).transit_excess(np.abs(along), 0.1, 0.0)
    assert along[excess[:, 0].argmax()] == pytest.approx(0.4, abs=0.06)
    assert excess.max() == pytest.approx(0.5 * 0.05**2, rel=1e-6) and excess[0].max() == 0.0


def test_a_ramp_settles():
    """Guards the ramp's size and time."""
    gain = HiddenEffects(ramp=Ramp(1e-3, 0.5)).gain(np.array([0.0, 0.5, 5.0]))[:, 0] - 1.0
    np.testing.assert_allclose(gain, [1e-3, 1e-3 / np.e, 0.0], atol=1e-7)
