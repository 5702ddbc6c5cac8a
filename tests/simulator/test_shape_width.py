"""The measure of how many-sided spectra are."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.line_spectra import draw_spectrum
from spectramind_kit.simulator.shape_width import unexplained_share
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.streams import SPECTRUM, planet_generator
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths


def test_what_is_known_is_explained_and_what_is_not_is_not():
    """Guards the measure at its ends: the same spectra leave nothing, others at right angles leave
    everything."""
    wave = np.sin(np.outer(np.arange(1, 21), np.linspace(0.0, 2 * np.pi, 283, endpoint=False)))
    few = 0.01 + 1e-4 * np.random.default_rng(0).normal(size=(50, 3)) @ wave[:3]
    assert unexplained_share(few, few, components=3) < 1e-9
    assert unexplained_share(few, 0.01 + 1e-4 * wave[10:], components=3) == pytest.approx(1.0, abs=0.02)


def test_the_sky_holds_the_shapes_of_two_years(reference_data):
    """Guards the width of the sky (docs/decisions.md D92): 20 components of 800 simulated planets leave at
    most 4 % of the shapes of 336 label spectra of 2024 and of five of 2025."""
    draws = (
        (planet_generator(5, "train", k, purpose=SPECTRUM), draw_planet(5, "train", k)) for k in range(800)
    )
    labels = np.array([grid_to_bins(draw_spectrum(rng, p, grid_wavelengths())[0]) for rng, p in draws])
    with np.load(reference_data / "spectra_2024.npz") as real:
        for name in ("spectra_2024", "spectra_2025"):
            assert unexplained_share(labels, real[name], components=20) <= 0.04
