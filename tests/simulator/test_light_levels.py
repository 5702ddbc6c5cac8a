from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.constants import AIRS
from spectramind_kit.simulator.light_levels import airs_levels, draw_foreground, draw_levels
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths, grid_wavelengths

COLUMNS = airs_column_wavelengths()


def test_stellar_flux_along_the_columns():
    """Guards against a throughput far from the real one: 5 k e⁻ at 3.9 µm, 160 k at the brightest column,
    16.26 M in all."""
    levels = 4.5 * airs_levels(COLUMNS, 4800.0, 16.26e6 / 4.5)
    assert levels[39:321].sum() == pytest.approx(16.26e6, rel=1e-9)
    assert levels[39] == pytest.approx(5e3, rel=0.25) and levels[39:321].max() == pytest.approx(
        160e3, rel=0.1
    )


def test_stars_are_as_bright_as_the_real_ones():
    """Guards against stars that no detector is built for, and FGS1 that ignores the star's colour."""
    rng, grid = np.random.default_rng(0), grid_wavelengths()
    cool, hot = (np.array([draw_levels(rng, grid, t) for _ in range(100)]) for t in (4400.0, 6800.0))
    for levels in (cool, hot):
        airs = 4.5 * levels[:, 1:][:, AIRS.cut].sum(1)
        assert airs.min() >= 9e6 and airs.max() <= 19.5e6 * (1 + 1e-9)
    assert np.median(hot[:, 0]) > 1.2 * np.median(cool[:, 0])


def foregrounds(kind: str) -> np.ndarray:
    """(200, 357) e⁻ per pixel and exposure of AIRS-CH0."""
    grid = grid_wavelengths()
    return 4.5 * np.array(
        [draw_foreground(np.random.default_rng(k), grid, 5500.0, kind=kind) for k in range(200)]
    )


def test_zodiacal_light_is_smooth_and_of_the_stars_colour():
    """Guards the measured level: 21 e⁻ at 2.1 µm, 6 at 3.9, 10.7 on average, without any feature of the
    passband."""
    sky = foregrounds("zodiacal")[:, 1:][:, AIRS.cut]
    assert np.median(sky, axis=0)[[259, 0]] == pytest.approx([21.0, 6.0], rel=0.15)
    assert np.median(sky.mean(1)) == pytest.approx(10.7, rel=0.15)
    assert (sky > 0).all() and (np.diff(sky, axis=1) > 0).all()  # the columns run to the blue


def test_passband_foreground_is_positive_and_stays_in_the_passband():
    """Guards the world `easy`: no sky where no light passes."""
    sky, outside = foregrounds("passband"), grid_wavelengths() > 4.05
    assert (sky > 0.0).all() and sky[:, 1:][:, AIRS.cut].mean() == pytest.approx(9.0, rel=0.5)
    assert (sky[:, outside].max(1) < 0.1 * sky[:, 1:].max(1)).all()
