from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator.molecules import NAMES
from spectramind_kit.simulator.spectra import Atmosphere, draw_spectrum, transmission_depth
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.visit import draw_visits
from spectramind_kit.simulator.wavelengths import grid_wavelengths
from spectramind_kit.simulator.worlds import world

GRID = grid_wavelengths()


def atmosphere(**log_abundances) -> Atmosphere:
    return Atmosphere(
        mean_weight=2.3,
        temperature_k=1200.0,
        log_abundances=tuple(log_abundances.get(name, -12.0) for name in NAMES),
        haze=1.0,
        haze_slope=-4.0,
        cloud_pa=1e7,
    )


def test_features_scale_with_the_scale_height():
    """Guards against spectra that ignore gravity and temperature: twice the temperature, nearly twice the
    amplitude."""
    planet = draw_planet(3, "train", 0)
    cool = transmission_depth(planet, atmosphere(H2O=-3.5), GRID)
    hot = transmission_depth(planet, replace(atmosphere(H2O=-3.5), temperature_k=2400.0), GRID)
    assert np.ptp(hot) / np.ptp(cool) == pytest.approx(2.0, rel=0.05)


def test_a_cloud_deck_hides_the_weak_bands():
    """Guards against clouds without effect."""
    planet = draw_planet(3, "train", 0)
    clear = transmission_depth(planet, atmosphere(H2O=-3.5), GRID)
    cloudy = transmission_depth(planet, replace(atmosphere(H2O=-3.5), cloud_pa=20.0), GRID)
    assert np.ptp(cloudy[1:]) < 0.5 * np.ptp(clear[1:])


def test_haze_lifts_the_visible():
    """Guards against an FGS1 bin that does not know of haze."""
    planet = draw_planet(3, "train", 0)
    clear, hazy = (
        transmission_depth(planet, replace(atmosphere(H2O=-3.5), haze=h), GRID) for h in (1.0, 1e4)
    )
    assert hazy[0] - hazy[1:].mean() > clear[0] - clear[1:].mean()


def test_spectra_keep_the_statistics_of_the_labels():
    """Guards against spectra that are too flat or too rich, which make everything measured on them an
    illusion."""
    labels = np.array([draw_visits(8, "train", k, settings=world("easy"))[0].label for k in range(300)])
    spread = labels[:, 1:].std(1) * 1e6
    assert spread.min() >= 4.9 and spread.max() <= 175 and 40 < np.median(spread) < 110
    shape = labels[:, 1:] - labels[:, 1:].mean(1, keepdims=True)
    power = np.linalg.svd(shape - shape.mean(0), compute_uv=False) ** 2
    assert power[:3] / power.sum() == pytest.approx([0.73, 0.22, 0.03], abs=0.08)
    offset = (labels[:, 0] - labels[:, 1:].mean(1)) * 1e6
    assert offset.min() < -150 and offset.max() > 150 and np.abs(offset).max() < 800


def test_the_level_is_the_planets_depth():
    """Guards against a label whose mean is not the depth that the orbit was drawn with."""
    planet = draw_planet(3, "train", 1)
    spectrum, _ = draw_spectrum(np.random.default_rng(0), planet, GRID)
    inside = (GRID > 1.95) & (GRID < 3.9)
    assert spectrum[inside].mean() == pytest.approx(planet.depth, rel=1e-9)
